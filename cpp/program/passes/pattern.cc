#include "program/passes/pattern.h"

namespace dyconv {

std::vector<bool> FixedSlots(const Graph& graph) {
  std::vector<bool> fixed;
  for (const SlotInfo& slot : graph.slots) fixed.push_back(slot.IsFixed());
  for (const Step& step : graph.steps) {
    bool once = !step.pinned;
    for (const Value& argument : step.arguments)
      ForEachValue(argument, [&](const Value& part) { once &= part.As<Affine>() == nullptr; });
    for (const int64_t slot : SlotsIn(step.arguments)) once &= fixed[slot];
    for (const int64_t result : step.results)
      if (result >= 0) fixed[result] = once;
  }
  return fixed;
}

std::optional<std::vector<int64_t>> FixedSizes(const Graph& graph, int64_t slot) {
  const SlotInfo& info = graph.slots.at(slot);
  if (info.IsFixed()) return info.tensor.sizes().vec();
  if (!info.sizes) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const Affine& size : *info.sizes) {
    if (size.factor != 0) return std::nullopt;
    sizes.push_back(size.offset);
  }
  return sizes;
}

bool IsFloatImage(const Graph& graph, int64_t slot, size_t dims) {
  if (slot < 0) return false;
  const SlotInfo& info = graph.slots.at(slot);
  return info.dtype == at::kFloat && info.device.is_cpu() && info.sizes && info.sizes->size() == dims;
}

int64_t AddStep(Graph& graph, std::vector<Step>& steps, std::string_view name, List arguments) {
  const int64_t result = AddUnknown(graph);
  steps.push_back(MakeStep(name, std::move(arguments), {result}));
  return result;
}

int64_t AddUnknown(Graph& graph) {
  SlotInfo slot;
  slot.kind = SlotInfo::Kind::kValue;
  return graph.AddSlot(std::move(slot));
}

Step MakeStep(std::string_view name, List arguments, std::vector<int64_t> results) {
  Step step;
  step.operation = FindOperation(name);
  step.arguments = std::move(arguments);
  step.results = std::move(results);
  return step;
}

}  // namespace dyconv
