// Requests that run as one batch: joined before the run and split after it, both on the thread of the run.
#pragma once

#include <vector>

#include "program/runner.h"

namespace dyconv {

// Runs `requests`, each its only input or a List of its inputs, as one batch and gives the output of each as
// a List. The inputs of the requests are joined along their first dimension, so all of them must be tensors,
// and their other sizes, dtypes and devices must agree. Every tensor of the output must have a row for each
// row of the batch; a request gets copies of its rows. A single request is run without copies.
Value RunBatch(Runner& runner, const std::vector<Value>& requests);

}  // namespace dyconv
