// Runs of programs. How they are made is in the files of their kinds.
#include "napi/programs.h"

#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "napi/buffers.h"
#include "napi/hot_path.h"
#include "napi/native_object.h"
#include "napi/program_value.h"
#include "program/batch.h"
#include "program/foreign.h"
#include "program/script_writer.h"
#include "program/waiting_inputs.h"

namespace dyconv {

struct HeldInputs {
  std::shared_ptr<WaitingInputs> waiting;
};
using SharedInputs = std::shared_ptr<const HeldInputs>;

template <>
inline constexpr ObjectType kObjectType<HeldInputs> = {"inputs of waitingInputs()",
                                                       {0x5be02bd6a1c94e17, 0x93d1f0c2768e4ab5}};

namespace {

Value RunProgram(int64_t program, const std::vector<Value>& inputs) {
  return Programs::Instance().Find(program).runner->Run(inputs);
}

// Runs `compute` with the program on its lane. `ticket`: a number for CancelRun. `threads`: of parallel
// loops; 0: a fair share.
template <class Compute>
Napi::Value RunOnLane(Call& call, int64_t id, int64_t ticket, int64_t threads, Compute compute) {
  HeldProgram program = Programs::Instance().Find(id);
  auto result = std::make_shared<Value>();
  const char* const signature = call.signature;
  return call.data.programs.Run(
      call.env, call.Name(),
      [runner = std::move(program.runner), compute = std::move(compute), result] {
        *result = compute(*runner);
      },
      [result, signature](Napi::Env env) {
        return ToJs(Call{env, AddonData::Of(env), signature, nullptr}, *result);
      },
      {.lane = std::move(program.lane), .ticket = ticket, .threads = static_cast<int>(threads)});
}

Napi::Value RunProgramAsync(Call& call, int64_t id, const std::vector<Value>& inputs, int64_t ticket,
                            int64_t threads) {
  return RunOnLane(call, id, ticket, threads, [inputs](Runner& runner) { return runner.Run(inputs); });
}

Napi::Value RunRequests(Call& call, int64_t id, std::vector<Value> requests, int64_t ticket,
                        int64_t threads) {
  return RunOnLane(call, id, ticket, threads,
                   [requests = std::move(requests)](Runner& runner) { return RunBatch(runner, requests); });
}

Napi::Value RunBatchAsync(Call& call, int64_t id, std::vector<Value>& requests, int64_t ticket,
                          int64_t threads) {
  return RunRequests(call, id, std::move(requests), ticket, threads);
}

Napi::Value RunWaitingAsync(Call& call, int64_t id, const SharedInputs& held,
                            const std::vector<int64_t>& numbers, int64_t ticket, int64_t threads) {
  std::vector<Value> requests;
  requests.reserve(numbers.size());
  for (const int64_t number : numbers) requests.emplace_back(held->waiting->Take(number));
  return RunRequests(call, id, std::move(requests), ticket, threads);
}

// The tensor of a handle, without its graph. `owned`: JavaScript's object gives it up.
int64_t Hold(Call& call, WaitingInputs& waiting, TensorHandle* handle, bool owned) {
  // As detach(), without the dispatch of an operation.
  const int64_t number = waiting.Add(handle->tensor.variable_data());
  if (owned) call.data.tensors.Dispose(handle);
  return number;
}

// -1 for what is not expected, and for what is no tensor that can be used at once.
int64_t HoldExpected(Call& call, const SharedInputs& held, Napi::Value input, bool owned) {
  TensorHandle* handle = FindHandle(call.data, input);
  if (handle == nullptr || !handle->tensor.defined() || !held->waiting->Expects(handle->tensor)) return -1;
  if (call.data.background.blocks() > 0 || call.data.recorder != nullptr) return -1;
  if (handle->pinned && IsDetached(*BufferOf(handle->storage))) return -1;
  return Hold(call, *held->waiting, handle, owned);
}

int64_t HoldInput(Call& call, const SharedInputs& held, TensorHandle* input, bool owned) {
  Require(input->tensor.defined(), ErrorKind::kDisposed,
          "Expected a live Tensor for input of holdInput but received one that was disposed");
  held->waiting->Expect(input->tensor);
  return Hold(call, *held->waiting, input, owned);
}

bool CancelRun(Call& call, int64_t ticket) { return call.data.programs.Cancel(call.env, ticket); }

// Loads a program on the thread of a separate lane and returns its number.
template <class Load>
Napi::Value LoadAsync(Call& call, Load load) {
  auto runner = std::make_shared<std::shared_ptr<ForeignRunner>>();
  return call.data.programs.Run(
      call.env, call.Name(), [runner, load = std::move(load)] { *runner = load(); },
      [runner](Napi::Env env) -> Napi::Value {
        const int64_t id = Programs::Instance().Add(&AddonData::Of(env), std::move(*runner));
        return Napi::Number::New(env, static_cast<double>(id));
      },
      {.lane = std::make_shared<PoolLane>()});
}

Napi::Value SaveTorchScript(Call& call, int64_t file, const std::string& class_name,
                            const std::string& source, const std::vector<std::string>& names,
                            const std::vector<at::Tensor>& tensors, const std::string& metadata) {
  auto written = std::make_shared<int64_t>(0);
  return call.data.programs.Run(
      call.env, call.Name(),
      [written, file, script = ScriptFile{class_name, source, names, tensors, metadata}] {
        *written = WriteTorchScript(script, static_cast<int>(file));
      },
      [written](Napi::Env env) -> Napi::Value {
        return Napi::Number::New(env, static_cast<double>(*written));
      },
      {.lane = std::make_shared<PoolLane>()});
}

// -1: the device of the package.
int DeviceIndexOf(const at::Device& device) { return device.is_cpu() ? -1 : device.index(); }

// The library checks sizes, dtypes and strides of its inputs only where this is set, and reads beyond their
// memory otherwise. It looks when it first runs.
void AskForChecks() {
  static std::once_flag once;
  std::call_once(once, [] {
#ifndef _WIN32
    setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", /*overwrite=*/0);
#endif
  });
}

const ForeignRunner& Foreign(const HeldProgram& program) {
  const auto* runner = dynamic_cast<const ForeignRunner*>(program.runner.get());
  Require(runner != nullptr, ErrorKind::kArgument, "Expected a program of loadTorchScript or loadPackage");
  return *runner;
}

}  // namespace

const OpTable& ProgramsOps() {
  static const OpTable table = {
      Bind("runProgram(program, inputs)", RunProgram),
      Bind("runProgramAsync(program, inputs, ticket, threads)", RunProgramAsync),
      // `requests`: the input of each, or an array of its inputs. The outputs of each as an array.
      Bind("runBatchAsync(program, requests, ticket, threads)", RunBatchAsync),
      Bind("cancelRun(ticket)", CancelRun),
      // Runs of waiting inputs, which they take.
      Bind("runWaitingAsync(program, inputs, numbers, ticket, threads)", RunWaitingAsync),
      Bind("waitingInputs()",
           [](Call&) -> SharedInputs {
             return std::make_shared<const HeldInputs>(HeldInputs{std::make_shared<WaitingInputs>()});
           }),
      Bind("holdExpected(inputs, input, owned)", HoldExpected),
      // `input`: a live tensor; inputs like it are expected from now on.
      Bind("holdInput(inputs, input, owned)", HoldInput),
      Bind("takeInputs(inputs, numbers)",
           [](Call&, const SharedInputs& held, const std::vector<int64_t>& numbers) {
             std::vector<at::Tensor> tensors;
             for (const int64_t number : numbers) tensors.push_back(held->waiting->Take(number));
             return tensors;
           }),
      Bind("dropInput(inputs, number)",
           [](Call&, const SharedInputs& held, int64_t number) { held->waiting->Take(number); }),
      // Another number for the program, with a separate lane.
      Bind("openProgram(program)",
           [](Call& call, int64_t id) {
             return Programs::Instance().Add(&call.data, Programs::Instance().Find(id).runner);
           }),
      Bind("disposeProgram(program)",
           [](Call& call, int64_t id) { Programs::Instance().Remove(&call.data, id); }),

      Bind("loadTorchScript(path, device)",
           [](Call& call, const std::string& path, at::Device device) {
             return LoadAsync(call, [path, device] { return LoadTorchScript(path, device); });
           }),
      Bind("loadPackage(path, device)",
           [](Call& call, const std::string& path, at::Device device) {
             AskForChecks();
             return LoadAsync(call, [path, device] { return LoadPackage(path, DeviceIndexOf(device)); });
           }),
      // To an open file. Resolves to the number of bytes, or minus the error number of write().
      Bind("saveTorchScript(file, className, source, names, tensors, metadata)", SaveTorchScript),
      Bind("describeProgram(program)",
           [](int64_t id) -> Value { return Foreign(Programs::Instance().Find(id)).Describe(); }),
      Bind("programState(program)",
           [](int64_t id) -> Value { return Foreign(Programs::Instance().Find(id)).State(); }),
  };
  return table;
}

}  // namespace dyconv
