// Programs that were exported from PyTorch in Python.
#pragma once

#include <memory>
#include <string>

#include "program/runner.h"

namespace dyconv {

class ForeignRunner : public Runner {
 public:
  // What the file says about itself, for the class in lib/program: see each loader.
  virtual Record Describe() const = 0;
  // Parameters and buffers by name.
  virtual Record State() const = 0;
};

// torch.jit.save: see torch_script.cc.
std::shared_ptr<ForeignRunner> LoadTorchScript(const std::string& path, at::Device device);

// torch._inductor.aoti_compile_and_package: see package.cc. `device_index` is -1 for the one of the package.
std::shared_ptr<ForeignRunner> LoadPackage(const std::string& path, int device_index);

}  // namespace dyconv
