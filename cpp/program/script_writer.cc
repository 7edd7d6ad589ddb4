#include "program/script_writer.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <map>
#include <memory>

#include <unistd.h>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/serialization/export.h>

#include "typed_error.h"

namespace dyconv {
namespace {

using torch::jit::Module;

// Another tensor with the same elements, on the CPU, where every machine can load it. An archive holds whole
// storages: not more than the tensor.
at::Tensor Stored(const at::Tensor& tensor) {
  at::Tensor stored = tensor.detach().cpu();
  if (!stored.is_contiguous() || stored.storage().nbytes() != stored.nbytes())
    stored = stored.clone(at::MemoryFormat::Contiguous);
  return stored;
}

// libtorch would end with an internal error.
void CheckNames(const ScriptFile& script) {
  Require(script.names.size() == script.tensors.size(), ErrorKind::kArgument,
          "Expected a name for each tensor");
  const auto is_word = [](unsigned char letter) { return std::isalnum(letter) || letter == '_'; };
  Require(!script.class_name.empty() && std::ranges::all_of(script.class_name, is_word), ErrorKind::kArgument,
          "Expected a name for className but received '", script.class_name, "'");
  for (const std::string& name : script.names) {
    const bool is_path =
        !name.empty() && name.front() != '.' && name.back() != '.' && name.find("..") == std::string::npos;
    Require(is_path, ErrorKind::kArgument, "Expected a path for names but received '", name, "'");
  }
}

// A module with a tree of modules that hold tensors.
class ModuleTree {
 public:
  explicit ModuleTree(const std::string& class_name)
      : unit_(std::make_shared<torch::jit::CompilationUnit>()), root_(Make(class_name)) {}

  Module& root() { return root_; }

  void Add(const std::string& path, const at::Tensor& tensor) {
    const size_t dot = path.rfind('.');
    const bool is_parameter = tensor.is_leaf() && tensor.requires_grad();
    at::Tensor stored = Stored(tensor);
    if (is_parameter) stored.requires_grad_();
    Module owner = dot == std::string::npos ? root_ : At(path.substr(0, dot));
    owner.register_parameter(path.substr(dot == std::string::npos ? 0 : dot + 1), std::move(stored),
                             /*is_buffer=*/!is_parameter);
  }

 private:
  Module Make(const std::string& class_name) {
    Module module(c10::QualifiedName("__torch__.dyconv." + class_name), unit_, /*shouldMangle=*/true);
    // torch.jit.freeze and others require it.
    module.register_attribute("training", c10::BoolType::get(), false);
    return module;
  }

  Module At(const std::string& path) {
    const auto found = modules_.find(path);
    if (found != modules_.end()) return found->second;
    const size_t dot = path.rfind('.');
    Module owner = dot == std::string::npos ? root_ : At(path.substr(0, dot));
    Module module = Make("Module");
    owner.register_module(path.substr(dot == std::string::npos ? 0 : dot + 1), module);
    modules_.emplace(path, module);
    return module;
  }

  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  Module root_;
  std::map<std::string, Module> modules_;
};

// Writes to a file until an error, after which it pretends to: the writer of archives must not fail, as its
// destructor would end the process.
class FileWriter {
 public:
  explicit FileWriter(int file) : file_(file) {}

  size_t Write(const void* data, size_t size) {
    const char* bytes = static_cast<const char*>(data);
    for (size_t left = size; left > 0 && error_ == 0;) {
      const ssize_t written = ::write(file_, bytes, std::min(left, kMostAtOnce));
      if (written < 0) {
        if (errno != EINTR) error_ = errno;
        continue;
      }
      bytes += written;
      left -= static_cast<size_t>(written);
      total_ += written;
    }
    return size;
  }

  int64_t Result() const { return error_ == 0 ? total_ : -int64_t{error_}; }

 private:
  // Some systems refuse more than 2 GB.
  static constexpr size_t kMostAtOnce = size_t{1} << 30;

  int file_;
  int error_ = 0;
  int64_t total_ = 0;
};

}  // namespace

int64_t WriteTorchScript(const ScriptFile& script, int file) {
  CheckNames(script);
  const at::NoGradGuard no_grad;
  ModuleTree tree(script.class_name);
  for (size_t i = 0; i < script.names.size(); ++i) tree.Add(script.names[i], script.tensors[i]);
  try {
    tree.root().define(script.source);
  } catch (const torch::jit::ErrorReport& error) {
    Fail(ErrorKind::kNative,
         "Expected a network that TorchScript can express but its compiler reports: ", error.what());
  }
  Require(tree.root().find_method("forward").has_value(), ErrorKind::kArgument,
          "Expected a method forward in source");
  torch::jit::ExtraFilesMap extra;
  if (!script.metadata.empty()) extra[kScriptMetadata] = script.metadata;
  FileWriter writer(file);
  torch::jit::ExportModule(
      tree.root(), [&writer](const void* data, size_t size) { return writer.Write(data, size); }, extra);
  return writer.Result();
}

}  // namespace dyconv
