// Graphs as plain values, for files and listings: records, lists, strings and numbers, with the tensors
// beside them.
#pragma once

#include "program/graph.h"

namespace dyconv {

// { inputs, slots, steps, output, dynamicBatch }. A slot is { slot: n }, an integer that depends on the batch
// size { batch: [factor, offset] }, a floating-point number { number: text } with all digits, an integer
// beyond 2^53 { integer: text }.
Record Describe(const Graph& graph);

// The graph of a description, with `tensors` for its parameters and constants, in the order of the slots.
// Throws a TypedError for a description that is none: nothing of it is trusted.
Graph GraphOf(const Value& description, const Tensors& tensors);

}  // namespace dyconv
