#include "napi/anomaly.h"

#include <mutex>

#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>

namespace dyconv {
namespace {

using torch::autograd::AnomalyMetadata;
using torch::autograd::Engine;
using NodePtr = decltype(torch::autograd::Edge::function);  // the type of this pointer depends on the version

// What a thread has requested; libtorch's switch, one per process, is on while any thread's is.
struct Request {
  bool enabled = false;
  bool check_nan = false;
  std::shared_ptr<JsValue> capture;
};

thread_local Request request;
std::mutex switch_mutex;
int threads_enabled = 0;
int threads_checking = 0;

std::mutex note_mutex;
std::string note;  // set on the thread on which a node failed, which may not be the caller's

std::string CaptureStack() {
  const std::shared_ptr<JsValue> capture = request.capture;
  if (capture == nullptr || !capture->home()->IsHere()) return "";
  try {
    const Napi::HandleScope scope(capture->home()->env());
    const Napi::Value text = capture->Call({});
    return text.IsString() ? text.As<Napi::String>().Utf8Value() : "";
  } catch (const std::exception&) {
    return "";  // continue without the stack
  }
}

struct StackMetadata : AnomalyMetadata {
  void store_stack() override { stack = CaptureStack(); }

  void print_stack(const std::string& name) override {
    std::string text =
        "\nThe forward operation of " + name +
        (stack.empty() ? " was recorded outside of detectAnomaly()." : " was recorded here:\n" + stack);
    // A node that was created by a node of a backward pass.
    if (const auto* metadata = parent ? dynamic_cast<StackMetadata*>(parent->metadata()) : nullptr) {
      text += "\nIt was made by the backward of " + parent->name() + ", recorded here:\n" + metadata->stack;
    }
    std::lock_guard lock(note_mutex);
    note = text;
  }

  void assign_parent(const NodePtr& node) override { parent = node; }

  std::string stack;
  NodePtr parent;
};

// The only way libtorch offers to replace the metadata of nodes.
class StackEngine : public Engine {
 public:
  static Engine& Get() {
    static auto* engine = new StackEngine;  // never freed: the device threads of the process may use it
    return *engine;
  }
  std::unique_ptr<AnomalyMetadata> make_anomaly_metadata() override {
    return std::make_unique<StackMetadata>();
  }
};

}  // namespace

void InstallAnomalyEngine() {
  static std::once_flag once;
  std::call_once(once, [] { torch::autograd::set_default_engine_stub(StackEngine::Get); });
}

void SetAnomaly(bool enabled, bool check_nan, std::shared_ptr<JsValue> capture) {
  check_nan = check_nan && enabled;
  std::lock_guard lock(switch_mutex);
  threads_enabled += enabled - request.enabled;
  threads_checking += check_nan - request.check_nan;
  request = {enabled, check_nan, std::move(capture)};
  torch::autograd::AnomalyMode::set_enabled(threads_enabled > 0, threads_checking > 0);
}

std::string TakeAnomalyNote() {
  std::lock_guard lock(note_mutex);
  return std::exchange(note, "");
}

}  // namespace dyconv
