#include "program/graph.h"

#include <algorithm>

namespace dyconv {

int64_t Graph::AddSlot(SlotInfo slot) {
  slots.push_back(std::move(slot));
  return static_cast<int64_t>(slots.size()) - 1;
}

int64_t Graph::AddValueLike(int64_t slot) {
  SlotInfo like = slots.at(slot);
  like.kind = SlotInfo::Kind::kValue;
  like.name.clear();
  like.tensor.reset();
  return AddSlot(std::move(like));
}

void Graph::ReplaceUses(int64_t from, int64_t to) {
  const auto replace = [&](Value& value) {
    if (Slot* slot = value.As<Slot>(); slot != nullptr && slot->index == from) slot->index = to;
  };
  for (Step& step : steps)
    for (Value& argument : step.arguments) ForEachValue(argument, replace);
  ForEachValue(output, replace);
}

int64_t Graph::CountUses(int64_t slot) const {
  int64_t uses = 0;
  const auto count = [&](const std::vector<int64_t>& used) { uses += std::ranges::count(used, slot); };
  for (const Step& step : steps) count(SlotsIn(step.arguments));
  count(SlotsIn(output));
  return uses;
}

const Step* Graph::MakerOf(int64_t slot) const {
  for (const Step& step : steps)
    if (std::ranges::count(step.results, slot) > 0) return &step;
  return nullptr;
}

void Graph::RemoveUnused() {
  std::vector<bool> used(slots.size());
  const auto use = [&](const std::vector<int64_t>& indices) {
    for (const int64_t index : indices) used[index] = true;
  };
  use(SlotsIn(output));
  std::vector<Step> kept;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const bool needed = step->pinned || std::ranges::any_of(step->results, [&](int64_t index) {
                          return index >= 0 && used[index];
                        });
    if (!needed) continue;
    use(SlotsIn(step->arguments));
    kept.push_back(std::move(*step));
  }
  std::ranges::reverse(kept);
  steps = std::move(kept);
}

std::vector<int64_t> SlotsIn(const Value& value) {
  std::vector<int64_t> slots;
  ForEachValue(value, [&](const Value& part) {
    if (const Slot* slot = part.As<Slot>()) slots.push_back(slot->index);
  });
  return slots;
}

std::vector<int64_t> SlotsIn(const List& arguments) {
  std::vector<int64_t> slots;
  for (const Value& argument : arguments) {
    const std::vector<int64_t> inside = SlotsIn(argument);
    slots.insert(slots.end(), inside.begin(), inside.end());
  }
  return slots;
}

}  // namespace dyconv
