// Whether the samples of a batch can be computed separately.
#pragma once

#include "program/graph.h"

namespace dyconv {

// Whether row i of every output depends on row i of the inputs alone, so that parts of a batch may run on
// their own: each input and value of the steps is on the CPU and has the rows of the batch as its first
// dimension, and each operation is known to keep them apart. False where that is not certain.
bool HasIndependentRows(const Graph& graph);

}  // namespace dyconv
