// Inputs of requests that wait for a batch of a program.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "typed_error.h"

namespace dyconv {

// JavaScript refers to each input by a number: an object for each would cost more than everything else. Most
// inputs of a service are alike, which one call finds out. Used on one thread.
class WaitingInputs {
 public:
  // Inputs like this one are expected from now on.
  void Expect(const at::Tensor& input) {
    dtype_ = input.scalar_type();
    device_ = input.device();
    sizes_ = input.sizes().vec();
  }
  bool Expects(const at::Tensor& input) const {
    return input.scalar_type() == dtype_ && input.device() == device_ &&
           input.sizes() == at::IntArrayRef(sizes_);
  }

  int64_t Add(at::Tensor input) {
    if (free_.empty()) {
      inputs_.push_back(std::move(input));
      return static_cast<int64_t>(inputs_.size()) - 1;
    }
    const int64_t number = free_.back();
    free_.pop_back();
    inputs_[static_cast<size_t>(number)] = std::move(input);
    return number;
  }
  at::Tensor Take(int64_t number) {
    Require(number >= 0 && number < static_cast<int64_t>(inputs_.size()) &&
                inputs_[static_cast<size_t>(number)].defined(),
            ErrorKind::kArgument, "Expected the number of an input that waits but received ", number);
    free_.push_back(number);
    return std::exchange(inputs_[static_cast<size_t>(number)], at::Tensor());
  }

 private:
  std::optional<at::ScalarType> dtype_;
  std::optional<at::Device> device_;
  std::vector<int64_t> sizes_;
  std::vector<at::Tensor> inputs_;  // undefined where the number is free
  std::vector<int64_t> free_;
};

}  // namespace dyconv
