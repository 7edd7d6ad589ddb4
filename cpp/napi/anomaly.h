// Anomaly mode: every node of the graph remembers the JavaScript stack that recorded it, and an error of a
// backward pass tells it. libtorch's switch is one for the whole process, on while any thread has asked for
// it; stacks are taken on the threads that have.
#pragma once

#include <memory>
#include <string>

#include "napi/js_callback.h"

namespace dyconv {

// Has libtorch's engine ask for stacks. Once per process, before the first backward pass.
void InstallAnomalyEngine();

// This thread's part of the switch: what it asked for before is replaced, and has to be taken back before it
// ends. `capture` gives the stack as text.
void SetAnomaly(bool enabled, bool check_nan, std::shared_ptr<JsValue> capture);

// Where the node that failed last was recorded, as an ending for the error's message; empty without one.
std::string TakeAnomalyNote();

}  // namespace dyconv
