// Networks as TorchScript files, which torch.jit.load reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace dyconv {

// The extra file of an archive that holds the metadata.
inline constexpr const char* kScriptMetadata = "metadata.json";

struct ScriptFile {
  std::string class_name;  // of the module
  std::string source;      // of its method forward
  std::vector<std::string>
      names;  // paths of the tensors, which forward reads as attributes: "features.0.weight"
  std::vector<at::Tensor> tensors;
  std::string metadata;  // contents of kScriptMetadata; without that file if empty
};

// Compiles the source and writes the archive to an open file. Those tensors that require gradients become
// parameters, the others buffers. Returns the number of bytes, or minus the error number of write(). Any
// thread.
int64_t WriteTorchScript(const ScriptFile& script, int file);

}  // namespace dyconv
