#include "program/passes/passes.h"

#include "typed_error.h"

namespace dyconv {

void RunPasses(Graph& graph, const ProgramOptions& options) {
  graph.RemoveUnused();
  if (options.bfloat16) CastToBFloat16(graph);
  const bool fuses = options.optimize && CanBeChannelsLast(graph);
  Require(!graph.quantization || (fuses && !options.bfloat16), ErrorKind::kArgument,
          "Expected a program with merged steps for layers in int8");
  if (!fuses) return;
  FuseLayers(graph);
  KeepChannelsLast(graph);
  if (graph.quantization) QuantizeLayers(graph, *graph.quantization);
}

}  // namespace dyconv
