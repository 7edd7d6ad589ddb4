// What is done to a graph before it runs. A pass changes steps and slots; steps that depend on parameters
// alone (a folded weight, a packed panel) run once and again after a parameter changed, so a pass that
// prepares something just adds a step for it. The order of the passes is that of the list in passes.cc.
#pragma once

#include "program/graph.h"
#include "program/program.h"

namespace dyconv {

void RunPasses(Graph& graph, const ProgramOptions& options);

// Weights and inputs in bfloat16; parameters of normalization stay in float32, outputs are float32 again.
void CastToBFloat16(Graph& graph);

// Convolutions and linear layers of fixed float32 weights on the CPU become one step each with the batch
// norm, addition and activation after them; dropout in evaluation mode is left out.
void FuseLayers(Graph& graph);

// Those of the layers of `quantization` compute in int8. Runs after the other passes.
void QuantizeLayers(Graph& graph, const Quantization& quantization);

// Fused steps give channels-last images. Whether the rest of the graph allows that: none of it looks at how
// values are stored in memory.
bool CanBeChannelsLast(const Graph& graph);
// Has the steps between them take and give such images.
void KeepChannelsLast(Graph& graph);

}  // namespace dyconv
