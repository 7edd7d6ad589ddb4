// TorchScript: modules of torch.jit.script and torch.jit.trace, run by libtorch's interpreter.
#include <algorithm>
#include <optional>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/serialization/import.h>

#include "program/foreign.h"
#include "program/ivalue.h"
#include "program/quoted_error.h"
#include "program/script_writer.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// The interpreter puts the message at the end of two tracebacks, each of several lines. What matters comes
// first here: the message, then the line of the original code.
std::string ShortMessage(const std::string& text) {
  if (text.find("TorchScript") == std::string::npos) return text;
  const size_t trace = text.find("Traceback of TorchScript");
  if (trace == std::string::npos) return text;
  std::string message;
  std::string line;
  std::string code;
  std::istringstream lines(text);
  for (std::string previous; std::getline(lines, line); previous = line) {
    // The innermost marked line of the last traceback, and what follows it at the margin.
    if (line.find("<--- HERE") != std::string::npos) {
      const size_t start = previous.find_first_not_of(' ');
      code = start == std::string::npos ? "" : previous.substr(start);
      message.clear();
    } else if (!line.empty() && line[0] != ' ' && line.rfind("Traceback of", 0) != 0) {
      if (!message.empty()) message += "\n";
      message += line;
    }
  }
  constexpr std::string_view kRuntime = "RuntimeError: ";
  if (message.rfind(kRuntime, 0) == 0) message.erase(0, kRuntime.size());
  if (message.empty()) return text;
  return code.empty() ? message : message + " (in `" + code + "`)";
}

class TorchScriptRunner final : public ForeignRunner {
 public:
  TorchScriptRunner(torch::jit::Module module, std::string metadata)
      : module_(std::move(module)), metadata_(std::move(metadata)) {
    const auto method = module_.find_method("forward");
    Require(method.has_value(), ErrorKind::kArgument, "Expected a module with a method forward");
    module_.eval();
  }

  Value Run(const std::vector<Value>& inputs) override {
    const at::NoGradGuard no_grad;
    const torch::jit::Method forward = module_.get_method("forward");
    const auto& schema = forward.function().getSchema();
    CheckCount(schema, inputs.size());
    std::vector<c10::IValue> stack;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const c10::Argument& argument = schema.arguments()[i + 1];
      stack.push_back(ToIValue(inputs[i], *argument.type(), argument.name()));
    }
    try {
      return FromIValue(forward(std::move(stack)));
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& error) {
      throw QuotedError(ShortMessage(error.what_without_backtrace()));
    } catch (const std::exception& error) {
      // What the script itself raises, and what the interpreter met.
      throw QuotedError(ShortMessage(error.what()));
    }
  }

  // class: the Python class; inputs: { name, type, optional }; output: its type; metadata: the text of the
  // extra file of that name, which script_writer.cc writes.
  Record Describe() const override {
    const auto& schema = module_.get_method("forward").function().getSchema();
    List inputs;
    for (size_t i = 1; i < schema.arguments().size(); ++i) {
      const c10::Argument& argument = schema.arguments()[i];
      inputs.push_back(Record{{"name", argument.name()},
                              {"type", argument.type()->annotation_str()},
                              {"optional", argument.default_value().has_value()}});
    }
    const auto name = module_.type()->name();
    return {{"class", name ? name->name() : std::string("Module")},
            {"inputs", std::move(inputs)},
            {"output",
             schema.returns().empty() ? std::string("None") : schema.returns()[0].type()->annotation_str()},
            {"metadata", metadata_}};
  }

  Record State() const override {
    Record state;
    for (const auto& parameter : module_.named_parameters())
      state.emplace_back(parameter.name, parameter.value);
    for (const auto& buffer : module_.named_buffers()) state.emplace_back(buffer.name, buffer.value);
    return state;
  }

 private:
  static void CheckCount(const c10::FunctionSchema& schema, size_t given) {
    const auto& arguments = schema.arguments();
    const size_t most = arguments.size() - 1;
    const auto needed = static_cast<size_t>(
        std::count_if(arguments.begin() + 1, arguments.end(),
                      [](const c10::Argument& argument) { return !argument.default_value().has_value(); }));
    if (given >= needed && given <= most) return;
    std::string names;
    for (size_t i = 1; i <= most; ++i) {
      names += (i == 1 ? "" : ", ") + arguments[i].name() + ": " + arguments[i].type()->annotation_str();
    }
    Fail(ErrorKind::kArgument, "Expected ", needed == most ? "" : std::to_string(needed) + " to ", most,
         most == 1 ? " input (" : " inputs (", names, ") for x of run but received ", given);
  }

  torch::jit::Module module_;
  std::string metadata_;
};

}  // namespace

std::shared_ptr<ForeignRunner> LoadTorchScript(const std::string& path, at::Device device) {
  try {
    torch::jit::ExtraFilesMap extra = {{kScriptMetadata, ""}};
    torch::jit::Module module = torch::jit::load(path, device, extra);
    return std::make_shared<TorchScriptRunner>(std::move(module), extra[kScriptMetadata]);
  } catch (const c10::Error& error) {
    throw QuotedError(error.what_without_backtrace());
  } catch (const torch::jit::ErrorReport& error) {
    throw QuotedError(error.what());
  }
}

}  // namespace dyconv
