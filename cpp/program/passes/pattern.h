// What passes ask of a graph and its steps.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "program/graph.h"

namespace dyconv {

inline bool Is(const Step& step, std::string_view name) {
  return !step.pinned && step.operation->Name() == name;
}

// The slot of an argument; -1 where it is none.
inline int64_t SlotOf(const Value& value) {
  const Slot* slot = value.As<Slot>();
  return slot == nullptr ? -1 : slot->index;
}

// Which slots are the same in every run until a parameter changes: parameters, constants, and what is
// computed from them.
std::vector<bool> FixedSlots(const Graph& graph);

// Sizes that do not depend on the batch size; nothing where one does, or they are not known.
std::optional<std::vector<int64_t>> FixedSizes(const Graph& graph, int64_t slot);

// float32 on the CPU, with this number of dimensions.
bool IsFloatImage(const Graph& graph, int64_t slot, size_t dims);

// A new slot for a value that only other steps of the passes read.
int64_t AddUnknown(Graph& graph);

Step MakeStep(std::string_view name, List arguments, std::vector<int64_t> results);

// Adds a step of the operation `name` with one result, whose slot is returned.
int64_t AddStep(Graph& graph, std::vector<Step>& steps, std::string_view name, List arguments);

}  // namespace dyconv
