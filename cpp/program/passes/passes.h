// What is done to a graph before it runs. A pass changes steps and slots; steps that depend on parameters
// alone (a folded weight, a packed panel) run once and again after a parameter changed, so a pass that
// prepares something just adds a step for it. The order of the passes is that of the list in passes.cc.
#pragma once

#include "program/graph.h"
#include "program/program.h"

namespace dyconv {

void RunPasses(Graph& graph, const ProgramOptions& options);

// Weights and inputs in bfloat16; parameters of normalisation stay in float32, outputs are float32 again.
void CastToBFloat16(Graph& graph);

}  // namespace dyconv
