// Networks as programs: recording a forward, compiling what was recorded, describing and timing it.
#include "bindings/bindings.h"
#include "napi/program_value.h"
#include "napi/programs.h"
#include "napi/wording.h"
#include "program/description.h"
#include "program/passes/quantize.h"
#include "program/program.h"
#include "program/public_name.h"
#include "program/unify.h"

namespace dyconv {
namespace {

using at::Tensor;

Recorder& RecorderOf(const Call& call) {
  Require(call.data.compilation != nullptr, ErrorKind::kArgument, "Expected recordingOpen() before ",
          call.Name());
  return *call.data.compilation;
}

void RecordingOpen(Call& call, const std::vector<std::string>& names, const std::vector<Tensor>& tensors,
                   Napi::Function locate) {
  Require(call.data.compilation == nullptr, ErrorKind::kArgument,
          "Expected no other network to be compiled within forward");
  Require(names.size() == tensors.size(), ErrorKind::kArgument, "Expected a name for each tensor");
  SetPublicName(PublicName);
  auto place = std::make_shared<JsValue>(call.data.js_home, locate);
  auto recorder = std::make_unique<Recorder>([place]() -> std::string {
    const Napi::Value text = place->Call({});
    return text.IsString() ? text.As<Napi::String>().Utf8Value() : std::string();
  });
  for (size_t i = 0; i < names.size(); ++i) recorder->AddParameter(names[i], tensors[i]);
  call.data.compilation = std::move(recorder);
}

int64_t AddProgram(Call& call, Graph graph, const ProgramOptions& options) {
  return Programs::Instance().Add(&call.data, std::make_shared<Program>(std::move(graph), options));
}

int64_t CompileRecording(Call& call, const std::vector<int64_t>& batches, bool bfloat16, bool optimize) {
  std::vector<Graph> recordings = RecorderOf(call).Take();
  Require(!recordings.empty(), ErrorKind::kArgument, "Expected a recording to compile");
  const bool dynamic = recordings.size() > 1;
  Graph graph = dynamic ? Unify(std::move(recordings), batches) : std::move(recordings[0]);
  graph.dynamic_batch = dynamic;
  return AddProgram(call, std::move(graph), {.bfloat16 = bfloat16, .optimize = optimize});
}

// The program of a number of nn.compile() or loadProgram().
std::shared_ptr<Program> Compiled(int64_t id) {
  auto program = std::dynamic_pointer_cast<Program>(Programs::Instance().Find(id).runner);
  Require(program != nullptr, ErrorKind::kArgument, "Expected a compiled network for program");
  return program;
}

std::tuple<std::vector<std::string>, std::vector<Tensor>> State(const Graph& graph) {
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  for (const SlotInfo& slot : graph.slots) {
    if (!slot.IsFixed()) continue;
    names.push_back(slot.name);
    tensors.push_back(slot.tensor);
  }
  return {names, tensors};
}

// Of every step as it was recorded, where recordingOpen's `locate` said it was called.
std::vector<std::string> Places(const Graph& graph) {
  std::vector<std::string> places;
  for (const Step& step : graph.steps) places.push_back(step.place);
  return places;
}

Value Listing(const Program& program) {
  Record listing = Describe(program.graph());
  List once;
  for (size_t i = 0; i < program.graph().steps.size(); ++i) once.push_back(program.RunsOnce(i));
  listing.emplace_back("once", once);
  listing.emplace_back("independentRows", program.HasIndependentRows());
  return listing;
}

int64_t PartsOf(int64_t program, int64_t rows, int64_t threads) {
  return Compiled(program)->PartsOf(rows, threads);
}

// [result, range, path, first, last] of the layers of a program in float32 that can compute in int8; slots of
// the recording.
std::vector<std::tuple<int64_t, int64_t, std::string, bool, bool>> Quantizable(const Program& program) {
  std::vector<std::tuple<int64_t, int64_t, std::string, bool, bool>> rows;
  const auto recorded = static_cast<int64_t>(program.source().slots.size());
  for (const auto& [result, range, path, first, last] : QuantizableLayers(program.graph()))
    if (range < recorded) rows.emplace_back(result, range, path, first, last);
  return rows;
}

// [step, start, duration] of every step of a run; times in microseconds.
std::vector<std::tuple<int64_t, double, double>> Profile(Program& program, const std::vector<Value>& inputs) {
  std::vector<StepTime> times;
  program.RunTimed(inputs, &times);
  std::vector<std::tuple<int64_t, double, double>> rows;
  for (const StepTime& time : times) rows.emplace_back(time.step, time.start, time.duration);
  return rows;
}

}  // namespace

const OpTable& CompileOps() {
  static const OpTable table = {
      Bind("recordingOpen(names, tensors, locate)", RecordingOpen),
      Bind("recordingBegin(inputs)",
           [](Call& call, const std::vector<Tensor>& inputs) {
             RecorderOf(call).Begin(inputs);
             call.data.recorder = call.data.compilation.get();
           }),
      // Not through the recorder: the output is no longer part of the forward.
      Bind("recordingPause()", [](Call& call) { call.data.recorder = nullptr; }),
      Bind("recordingFinish(output)",
           [](Call& call, const Value& output) { RecorderOf(call).Finish(output); }),
      Bind("recordingClose()",
           [](Call& call) {
             call.data.recorder = nullptr;
             call.data.compilation.reset();
           }),
      Bind("isRecording()", [](Call& call) { return call.data.recorder != nullptr; }),
      Bind("compileRecording(batches, bfloat16, optimize)", CompileRecording),
      Bind("loadCompiled(description, tensors, bfloat16, optimize)",
           [](Call& call, const Value& description, const std::vector<Tensor>& tensors, bool bfloat16,
              bool optimize) {
             return AddProgram(call, GraphOf(description, tensors),
                               {.bfloat16 = bfloat16, .optimize = optimize});
           }),
      Bind("compiledSource(program)", [](int64_t id) -> Value { return Describe(Compiled(id)->source()); }),
      Bind("compiledPlaces(program)", [](int64_t id) { return Places(Compiled(id)->source()); }),
      Bind("compiledListing(program)", [](int64_t id) { return Listing(*Compiled(id)); }),
      Bind("compiledState(program)", [](int64_t id) { return State(Compiled(id)->source()); }),
      Bind("programParts(program, rows, threads)", PartsOf),
      Bind("quantizableLayers(program)", [](int64_t id) { return Quantizable(*Compiled(id)); }),
      Bind("refreshCompiled(program)", [](int64_t id) { Compiled(id)->Refresh(); }),
      Bind("profileCompiled(program, inputs)",
           [](int64_t id, const std::vector<Value>& inputs) { return Profile(*Compiled(id), inputs); }),
  };
  return table;
}

}  // namespace dyconv
