// Anomaly mode: every node of the graph stores the JavaScript stack of its operation, and errors of a
// backward pass include it. libtorch has one switch for the whole process, which is on while any thread has
// requested it; stacks are captured on those threads only.
#pragma once

#include <memory>
#include <string>

#include "napi/js_callback.h"

namespace dyconv {

// Makes libtorch's engine request stacks. Once per process, before the first backward pass.
void InstallAnomalyEngine();

// Sets the request of this thread, which must be withdrawn before the thread ends. `capture` returns the
// stack as text.
void SetAnomaly(bool enabled, bool check_nan, std::shared_ptr<JsValue> capture);

// Where the node that failed last was recorded, as the end of an error message; empty if unknown.
std::string TakeAnomalyNote();

}  // namespace dyconv
