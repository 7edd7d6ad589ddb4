// Something that computes outputs from inputs without JavaScript: a compiled program, a TorchScript module, a
// package of AOTInductor. napi/runner.h runs it on native threads.
#pragma once

#include <vector>

#include "program/value.h"

namespace dyconv {

class Runner {
 public:
  Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  virtual ~Runner() = default;

  // Computes on the calling thread; any thread may call, several at once. One output is its value, several
  // are a List or a Record. Throws TypedError, or what libtorch throws.
  virtual Value Run(const std::vector<Value>& inputs) = 0;
};

}  // namespace dyconv
