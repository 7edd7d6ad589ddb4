// A network as a list of steps: what a recording makes, passes change, a program runs and a file holds.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "program/operation.h"
#include "program/value.h"

namespace dyconv {

// Sizes of a tensor, in terms of the batch size; nothing where they depend on more than that.
using Sizes = std::optional<std::vector<Affine>>;

// A tensor of a graph.
struct SlotInfo {
  enum class Kind { kInput, kParameter, kConstant, kValue };

  Kind kind = Kind::kValue;
  std::string name;   // of a parameter or buffer of the module, else empty
  at::Tensor tensor;  // of a parameter or constant: shared with the module, not copied
  Sizes sizes;
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;

  // The same tensor in every run, unless its owner changes it.
  bool IsFixed() const { return kind == Kind::kParameter || kind == Kind::kConstant; }
};

// One call of an operation.
struct Step {
  const Operation* operation;
  List arguments;                // tensors as Slot, integers that depend on the batch size as Affine
  std::vector<int64_t> results;  // slots, -1 for an undefined tensor
  // Takes part in a change in place: must keep its position, and must not be merged or computed in advance.
  bool pinned = false;
  std::string place;  // the line of JavaScript that called it, where that is known
};

// Which layers of a recording compute in int8 (passes/quantize.cc), by the slots of its results.
struct Quantization {
  std::vector<int64_t> layers;
  // Of what they read: value = (number - zero point) * scale, as [scale, zero point].
  std::vector<std::pair<int64_t, std::array<double, 2>>> ranges;
};

struct Graph {
  std::vector<SlotInfo> slots;
  std::vector<int64_t> inputs;  // slots
  std::vector<Step> steps;      // in the order of the calls
  Value output;                 // tensors as Slot, at any depth
  bool dynamic_batch = true;    // the first dimension of batched inputs is free
  std::optional<Quantization> quantization;

  int64_t AddSlot(SlotInfo slot);
  // A new slot of sizes and dtype like another one's: for what replaces it.
  int64_t AddValueLike(int64_t slot);
  // Every argument, input of the output, that is `from` becomes `to`.
  void ReplaceUses(int64_t from, int64_t to);
  // How often a slot is an argument or a part of the output.
  int64_t CountUses(int64_t slot) const;
  // The step that makes a slot; null for inputs, parameters and constants.
  const Step* MakerOf(int64_t slot) const;
  // Removes steps whose results nobody uses.
  void RemoveUnused();
};

// The slots in a value, at any depth.
std::vector<int64_t> SlotsIn(const Value& value);
std::vector<int64_t> SlotsIn(const List& arguments);

}  // namespace dyconv
