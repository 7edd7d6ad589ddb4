#include "program/passes/passes.h"

namespace dyconv {

void RunPasses(Graph& graph, const ProgramOptions& options) {
  graph.RemoveUnused();
  if (options.bfloat16) CastToBFloat16(graph);
  if (!options.optimize || !CanBeChannelsLast(graph)) return;
  FuseLayers(graph);
  KeepChannelsLast(graph);
}

}  // namespace dyconv
