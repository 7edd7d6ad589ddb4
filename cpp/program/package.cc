// Packages of AOTInductor: a network compiled to a shared library by torch.export and
// torch._inductor.aoti_compile_and_package. The library is machine code of the processor it was compiled on.
#include <string_view>

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "program/foreign.h"
#include "program/quoted_error.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// "input_handles[0]: unmatched dim value at 3" is about inputs[0].
std::string InOurTerms(std::string message) {
  constexpr std::string_view kTheirs = "input_handles[";
  const size_t at = message.find(kTheirs);
  if (at != std::string::npos) message.replace(at, kTheirs.size(), "inputs[");
  message.erase(message.find_last_not_of("\n ") + 1);
  return message;
}

class PackageRunner final : public ForeignRunner {
 public:
  PackageRunner(const std::string& path, int device_index)
      : loader_(path, "model", /*run_single_threaded=*/false, /*num_runners=*/1,
                static_cast<c10::DeviceIndex>(device_index)),
        call_spec_(loader_.get_call_spec()) {}

  // The leaves of inputs and outputs, in the order of the call specification.
  Value Run(const std::vector<Value>& inputs) override {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> tensors;
    for (const Value& input : inputs) {
      const auto* tensor = input.As<at::Tensor>();
      Require(tensor != nullptr, ErrorKind::kArgument, "Expected Tensors for x of run");
      tensors.push_back(*tensor);
    }
    try {
      List outputs;
      for (at::Tensor& output : loader_.run(tensors)) outputs.emplace_back(std::move(output));
      return outputs;
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& error) {
      throw QuotedError(InOurTerms(error.what_without_backtrace()));
    } catch (const std::exception& error) {
      throw QuotedError(InOurTerms(error.what()));
    }
  }

  // inputs, outputs: the tree specifications of torch.utils._pytree, as JSON; metadata.
  Record Describe() const override {
    Record metadata;
    for (const auto& [key, value] : const_cast<Loader&>(loader_).get_metadata())
      metadata.emplace_back(key, value);
    return {{"inputs", call_spec_.empty() ? Value() : Value(call_spec_[0])},
            {"outputs", call_spec_.size() < 2 ? Value() : Value(call_spec_[1])},
            {"metadata", std::move(metadata)}};
  }

  // The constants, which the library holds, by their names in the exported module.
  Record State() const override {
    auto& runner = *const_cast<Loader&>(loader_).get_runner();
    const auto names = runner.getConstantNamesToOriginalFQNs();
    Record state;
    for (const auto& [name, tensor] : runner.extract_constants_map(/*use_inactive=*/false)) {
      const auto found = names.find(name);
      state.emplace_back(found == names.end() ? name : found->second, tensor);
    }
    return state;
  }

 private:
  using Loader = torch::inductor::AOTIModelPackageLoader;

  Loader loader_;
  std::vector<std::string> call_spec_;
};

}  // namespace

std::shared_ptr<ForeignRunner> LoadPackage(const std::string& path, int device_index) {
  return std::make_shared<PackageRunner>(path, device_index);
}

}  // namespace dyconv
