#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "program/passes/passes.h"

namespace dyconv {
namespace {

// Their kernels take statistics, scale and shift in float32 with an input in bfloat16.
constexpr std::array<std::string_view, 4> kNorms = {"batchNorm", "layerNorm", "groupNorm", "instanceNorm"};

Step Cast(int64_t from, int64_t to, const char* dtype) {
  Step step;
  step.operation = FindOperation("to");
  step.arguments = {Slot{from}, Value(), dtype, false};
  step.results = {to};
  return step;
}

bool IsFloat(const Graph& graph, int64_t slot) { return graph.slots[slot].dtype == at::kFloat; }

// Adds the cast of a slot and gives the slot of the result.
int64_t AddCast(Graph& graph, std::vector<Step>& steps, int64_t from, at::ScalarType dtype) {
  const int64_t to = graph.AddValueLike(from);
  graph.slots[to].dtype = dtype;
  steps.push_back(Cast(from, to, dtype == at::kFloat ? "float32" : "bfloat16"));
  return to;
}

// Whether a step computes with numbers that are bfloat16 now. Others, such as a conversion of bytes or a
// tensor made from nothing, give float32 as before.
bool ReadsNarrowed(const Graph& graph, const Step& step) {
  return std::ranges::any_of(SlotsIn(step.arguments), [&](int64_t slot) {
    return IsFloat(graph, slot) || graph.slots[slot].dtype == at::kBFloat16;
  });
}

// A step that names the dtype of its result.
void NarrowDType(Step& step) {
  for (Value& argument : step.arguments)
    if (argument.ToString() == "'float32'") argument = "bfloat16";
}

}  // namespace

void CastToBFloat16(Graph& graph) {
  std::vector<Step> steps;
  std::map<int64_t, int64_t> cast;
  const size_t recorded = graph.slots.size();
  for (size_t i = 0; i < recorded; ++i) {
    const bool given = graph.slots[i].kind != SlotInfo::Kind::kValue;
    const auto slot = static_cast<int64_t>(i);
    if (given && IsFloat(graph, slot)) cast[slot] = AddCast(graph, steps, slot, at::kBFloat16);
  }
  for (Step& step : graph.steps) {
    const bool narrowed = ReadsNarrowed(graph, step);
    const bool norm = std::ranges::count(kNorms, step.operation->Name()) > 0;
    for (size_t i = 0; i < step.arguments.size(); ++i) {
      ForEachValue(step.arguments[i], [&](Value& part) {
        Slot* slot = part.As<Slot>();
        if (slot == nullptr || !cast.contains(slot->index)) return;
        if (!(norm && i > 0)) slot->index = cast[slot->index];
      });
    }
    if (narrowed) NarrowDType(step);
    const std::vector<int64_t> results = step.results;
    steps.push_back(std::move(step));
    for (const int64_t result : results) {
      if (result < 0 || !IsFloat(graph, result) || static_cast<size_t>(result) >= recorded) continue;
      if (narrowed)
        graph.slots[result].dtype = at::kBFloat16;
      else
        cast[result] = AddCast(graph, steps, result, at::kBFloat16);
    }
  }
  ForEachValue(graph.output, [&](Value& part) {
    Slot* slot = part.As<Slot>();
    if (slot != nullptr && graph.slots[slot->index].dtype == at::kBFloat16)
      slot->index = AddCast(graph, steps, slot->index, at::kFloat);
  });
  graph.steps = std::move(steps);
  graph.RemoveUnused();
}

}  // namespace dyconv
