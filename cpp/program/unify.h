// One graph for every batch size, from recordings of the same forward at several of them.
#pragma once

#include <vector>

#include "program/graph.h"

namespace dyconv {

// `recordings[i]` was made with `batches[i]` rows, at least three different ones. What is the same in all
// stays, integers that are factor * batch + offset become Affine. Throws a TypedError that names the
// operation and its place for anything else.
Graph Unify(std::vector<Graph> recordings, const std::vector<int64_t>& batches);

}  // namespace dyconv
