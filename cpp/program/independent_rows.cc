#include "program/independent_rows.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ops/activation.h"
#include "program/passes/pattern.h"

namespace dyconv {
namespace {

// Operations besides activations that keep rows apart as long as the result has the rows of its inputs: what
// would change their number or order, such as a permutation, a sum over them or a join along them, gives
// other sizes.
constexpr auto kRowWise = std::to_array<std::string_view>({
    "adaptiveAvgPool2d",
    "avgPool2d",
    "cat",
    "channelMeans",
    "chunk",
    "clamp",
    "clone",
    "contiguous",
    "conv2d",
    "detach",
    "dynamicConv2d",
    "elu",
    "exp",
    "expand",
    "flatten",
    "fusedConv2d",
    "fusedDepthwiseConv2d",
    "fusedDynamicConv2d",
    "fusedDynamicDepthwiseConv2d",
    "fusedLinear",
    "fusedMaxPool2d",
    "groupNorm",
    "int8ChannelMeans",
    "int8Conv2d",
    "int8DynamicConv2d",
    "int8Linear",
    "int8MaxPool2d",
    "interpolate",
    "leakyRelu",
    "linear",
    "maxPool2d",
    "mean",
    "neg",
    "permute",
    "quantize",
    "reshape",
    "routing",
    "scaleChannels",
    "select",
    "softplus",
    "sqrt",
    "square",
    "squeeze",
    "tanh",
    "to",
    "transpose",
    "unflatten",
    "unsqueeze",
    "view",
});
// Operations on elements of two tensors, of which the smaller one is repeated.
constexpr auto kBroadcasting = std::to_array<std::string_view>({"add", "div", "mul", "sub"});
// Operations along one dimension, which is the second argument.
constexpr auto kAlong = std::to_array<std::string_view>({"logSoftmax", "softmax"});

bool Contains(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool HasRows(const SlotInfo& slot) {
  if (!slot.device.is_cpu() || !slot.sizes || slot.sizes->empty()) return false;
  return slot.sizes->front() == Affine{1, 0} &&
         std::all_of(slot.sizes->begin() + 1, slot.sizes->end(),
                     [](const Affine& size) { return size.factor == 0; });
}

int64_t RankOf(const SlotInfo& slot) {
  return slot.IsFixed() ? slot.tensor.dim() : slot.sizes ? static_cast<int64_t>(slot.sizes->size()) : -1;
}

// What is the same in every run must not reach into the rows: it has fewer dimensions, or is repeated along
// them.
bool BroadcastsAlongRows(const Graph& graph, const Step& step, const std::vector<bool>& fixed) {
  int64_t rank = -1;
  for (const int64_t slot : SlotsIn(step.arguments)) {
    if (fixed[slot]) continue;
    const int64_t own = RankOf(graph.slots[slot]);
    if (rank >= 0 && own != rank) return false;
    rank = own;
  }
  return std::ranges::all_of(SlotsIn(step.arguments), [&](int64_t slot) {
    if (!fixed[slot]) return true;
    const auto sizes = FixedSizes(graph, slot);
    return sizes && (static_cast<int64_t>(sizes->size()) < rank ||
                     (static_cast<int64_t>(sizes->size()) == rank && sizes->front() == 1));
  });
}

// Whether the batch size is an argument otherwise than as the first size of a result: a part of the batch has
// another one.
bool UsesBatchSize(const Step& step) {
  int64_t uses = 0;
  for (const Value& argument : step.arguments)
    ForEachValue(argument, [&](const Value& part) { uses += part.As<Affine>() != nullptr; });
  if (uses == 0) return false;
  if (!Is(step, "expand") && !Is(step, "reshape") && !Is(step, "view")) return true;
  const List* sizes = step.arguments.at(1).As<List>();
  const Affine* first = sizes == nullptr || sizes->empty() ? nullptr : sizes->front().As<Affine>();
  return uses != 1 || first == nullptr || *first != Affine{1, 0};
}

// Whether padding adds rows, or moves them: its sizes begin with the last dimension.
bool PadsRows(const Step& step, int64_t rank) {
  const List* sizes = step.arguments.at(1).As<List>();
  if (sizes == nullptr) return true;
  return static_cast<int64_t>(sizes->size()) >= 2 * rank;
}

bool KeepsRowsApart(const Graph& graph, const Step& step, const std::vector<bool>& fixed) {
  const std::string name = step.operation->Name();
  const auto rank = [&](size_t argument) {
    const int64_t slot = SlotOf(step.arguments.at(argument));
    return slot < 0 ? -1 : RankOf(graph.slots[slot]);
  };
  if (UsesBatchSize(step)) return false;
  const auto is_name = [&](const auto& entry) { return name == entry.first; };
  if (Contains(kRowWise, name) || std::ranges::any_of(kActivationNames, is_name)) return true;
  if (name == "pad") return !PadsRows(step, rank(0));
  if (Contains(kBroadcasting, name)) return BroadcastsAlongRows(graph, step, fixed);
  if (Contains(kAlong, name)) {
    const int64_t* dim = step.arguments.at(1).As<int64_t>();
    return dim != nullptr && *dim != 0 && *dim != -rank(0);
  }
  if (name == "batchNorm") {
    const bool* training = step.arguments.at(5).As<bool>();
    return training != nullptr && !*training;
  }
  if (name == "layerNorm") {
    const List* shape = step.arguments.at(1).As<List>();
    return shape != nullptr && static_cast<int64_t>(shape->size()) < rank(0);
  }
  // Of two dimensions it would be attention between rows.
  if (name == "scaledDotProductAttention") return rank(0) > 2 && step.arguments.at(3).IsNull();
  return false;
}

}  // namespace

bool HasIndependentRows(const Graph& graph) {
  const std::vector<bool> fixed = FixedSlots(graph);
  const auto has_rows = [&](int64_t slot) { return HasRows(graph.slots[slot]); };
  const auto fits = [&](int64_t slot) { return slot < 0 || fixed[slot] || has_rows(slot); };
  if (graph.inputs.empty() || !std::ranges::all_of(graph.inputs, has_rows)) return false;
  for (const Step& step : graph.steps) {
    const std::vector<int64_t> slots = SlotsIn(step.arguments);
    const bool once =
        !step.pinned && std::ranges::all_of(step.results, [&](int64_t r) { return r < 0 || fixed[r]; });
    if (once) continue;
    if (step.pinned || !std::ranges::all_of(slots, fits) || !std::ranges::all_of(step.results, fits))
      return false;
    if (!KeepsRowsApart(graph, step, fixed)) return false;
  }
  bool rows = true;
  ForEachValue(graph.output, [&](const Value& part) {
    if (part.As<Affine>() != nullptr) rows = false;
    if (const Slot* slot = part.As<Slot>()) rows = rows && has_rows(slot->index);
  });
  return rows;
}

}  // namespace dyconv
