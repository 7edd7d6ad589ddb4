// Which steps of a graph have a form in int8.
#pragma once

#include "program/graph.h"

namespace dyconv {

// A fused convolution or linear layer that can compute in int8. Slots are those of the recording.
struct QuantizableLayer {
  int64_t result;    // slot
  int64_t range;     // slot of the value whose range the input has
  std::string path;  // of the layer in the module, '' where its weight has no key
  bool first, last;  // no such layer before it, or after it
};

// Of a graph after the other passes, in the order of its steps. Layers that only an attention depends on are
// not among them.
std::vector<QuantizableLayer> QuantizableLayers(const Graph& graph);

}  // namespace dyconv
