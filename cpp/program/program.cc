#include "program/program.h"

#include <algorithm>
#include <chrono>

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/Parallel.h>

#include "dtype_name.h"
#include "ops/serial.h"
#include "program/independent_rows.h"
#include "program/passes/passes.h"
#include "program/versions.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// A run is without autograd and autocast, regardless of the calling thread: as under no_grad(), but
// without the bookkeeping of views and versions.
struct RunGuard {
  at::NoGradGuard no_grad;
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  c10::impl::ExcludeDispatchKeyGuard no_autocast{c10::autocast_dispatch_keyset};
};

std::string ShapeText(const SlotInfo& slot) {
  std::string text = "[";
  for (const Affine& size : *slot.sizes)
    text += (text.size() == 1 ? "" : ", ") + (size.factor == 0 ? Value(size.offset) : Value(size)).ToString();
  return text + "]";
}

class StopWatch {
 public:
  double Microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

Program::Program(Graph source, const ProgramOptions& options)
    : source_(std::move(source)), options_(options), graph_(source_) {
  // The passes rely on the number and types of arguments.
  for (const Step& step : graph_.steps) step.operation->prepare(step.arguments);
  RunPasses(graph_, options_);
  independent_rows_ = dyconv::HasIndependentRows(graph_);
  if (independent_rows_) CountBytes();
  Place();
  Prepare();
}

void Program::CountBytes() {
  for (const SlotInfo& slot : graph_.slots)
    if (slot.kind == SlotInfo::Kind::kParameter)
      bytes_of_parameters_ += static_cast<int64_t>(slot.tensor.nbytes());
  // They are packed as int8, apart from those of layers that stay float32.
  if (graph_.quantization) bytes_of_parameters_ /= sizeof(float);
  for (const Step& step : graph_.steps) {
    for (const int64_t result : step.results) {
      if (result < 0) continue;
      const SlotInfo& slot = graph_.slots[result];
      if (!slot.sizes || slot.sizes->empty() || slot.sizes->front().factor == 0) continue;
      int64_t numbers = 1;
      for (size_t d = 1; d < slot.sizes->size(); ++d) numbers *= (*slot.sizes)[d].offset;
      bytes_of_sample_ += numbers * static_cast<int64_t>(c10::elementSize(slot.dtype));
    }
  }
}

// Gives each slot a place in the frame: what depends on parameters and constants alone a fixed one.
void Program::Place() {
  places_.assign(graph_.slots.size(), 0);
  std::vector<bool> fixed(graph_.slots.size());
  for (size_t i = 0; i < graph_.slots.size(); ++i) {
    if (!graph_.slots[i].IsFixed()) continue;
    fixed[i] = true;
    places_[i] = -1 - fixed_count_++;
    shared_.push_back(static_cast<int64_t>(i));
  }
  for (const int64_t input : graph_.inputs) places_[input] = value_count_++;
  for (const Step& step : graph_.steps) {
    bool once = !step.pinned;
    for (const Value& argument : step.arguments)
      ForEachValue(argument, [&](const Value& part) { once &= part.As<Affine>() == nullptr; });
    for (const int64_t slot : SlotsIn(step.arguments)) once &= fixed[slot];
    runs_once_.push_back(once);
    for (const int64_t result : step.results) {
      if (result < 0 || graph_.slots[result].kind != SlotInfo::Kind::kValue) continue;
      if (step.pinned && places_[result] != 0) continue;  // the tensor itself, changed in place
      fixed[result] = once;
      places_[result] = once ? -1 - fixed_count_++ : value_count_++;
    }
  }
}

Value Program::Placed(Value value) const {
  ForEachValue(value, [this](Value& part) {
    if (Slot* slot = part.As<Slot>()) slot->index = places_.at(slot->index);
  });
  return value;
}

List Program::Placed(const List& arguments) const {
  List placed;
  for (const Value& argument : arguments) placed.push_back(Placed(argument));
  return placed;
}

void Program::Prepare() {
  output_ = Placed(graph_.output);
  std::vector<bool> used(value_count_);  // by a later step or the output
  for (const int64_t place : SlotsIn(output_))
    if (place >= 0) used[place] = true;
  for (size_t i = graph_.steps.size(); i-- > 0;) {
    const Step& step = graph_.steps[i];
    const List arguments = Placed(step.arguments);
    Ready ready;
    ready.call = step.operation->prepare(arguments);
    ready.step = i;
    std::vector<int64_t> here = SlotsIn(arguments);
    for (const int64_t result : step.results) {
      ready.results.push_back(result < 0 ? -1 : places_[result]);
      if (!runs_once_[i] && result >= 0) here.push_back(places_[result]);
      if (runs_once_[i] && result < 0) ready.results.back() = 0;  // fixed places are below 0
    }
    for (const int64_t place : here) {
      if (place < 0 || used[place]) continue;
      used[place] = true;
      ready.released.push_back(place);
    }
    (runs_once_[i] ? once_ : steps_).push_back(std::move(ready));
  }
  std::ranges::reverse(once_);
  std::ranges::reverse(steps_);
}

void Program::CheckInputs(const std::vector<Value>& inputs, Tensors& values, int64_t& batch) const {
  const size_t count = graph_.inputs.size();
  Require(inputs.size() == count, ErrorKind::kArgument, "Expected ", count, count == 1 ? " input" : " inputs",
          " for the program but received ", inputs.size());
  std::optional<int64_t> rows;
  for (size_t i = 0; i < count; ++i) {
    const SlotInfo& slot = graph_.slots[graph_.inputs[i]];
    const std::string name = count == 1 ? "input" : "inputs[" + std::to_string(i) + "]";
    const at::Tensor* tensor = inputs[i].As<at::Tensor>();
    Require(tensor != nullptr && tensor->defined(), ErrorKind::kArgument, "Expected a Tensor for ", name,
            " of the program but received ", inputs[i].ToString());
    Require(tensor->scalar_type() == slot.dtype, ErrorKind::kDType, "Expected ", DTypeName(slot.dtype),
            " for ", name, " of the program but received ", DTypeName(tensor->scalar_type()));
    Require(tensor->device() == slot.device, ErrorKind::kDevice, "Expected a Tensor on ", slot.device.str(),
            " for ", name, " of the program but received one on ", tensor->device().str());
    bool fits = tensor->dim() == static_cast<int64_t>(slot.sizes->size());
    for (size_t d = 0; fits && d < slot.sizes->size(); ++d) {
      const Affine size = (*slot.sizes)[d];
      if (size.factor != 0 && !rows) rows = (tensor->size(d) - size.offset) / size.factor;
      fits = tensor->size(d) == size.At(rows.value_or(0));
    }
    Require(fits, ErrorKind::kShape, "Expected ", ShapeText(slot), " for ", name,
            " of the program but received ", tensor->sizes(),
            rows && count > 1 ? " with B = " + std::to_string(*rows) : "");
    values[i] = *tensor;
  }
  batch = rows.value_or(0);
}

std::string Program::NameOf(const Ready& ready) const {
  const Step& step = graph_.steps[ready.step];
  std::string name = "in " + step.operation->Name() + "()";
  for (const int64_t slot : SlotsIn(step.arguments)) {
    if (graph_.slots[slot].name.empty()) continue;
    name += " of " + graph_.slots[slot].name;
    break;
  }
  return step.place.empty() ? name : name + " at " + step.place;
}

void Program::Call(const Ready& step, const Frame& frame, Tensors& results) const {
  try {
    step.call(frame, results);
  } catch (c10::Error& error) {
    error.add_context(NameOf(step));
    throw;
  } catch (const TypedError& error) {
    throw TypedError(error.kind(), error.what() + (" (" + NameOf(step) + ")"));
  }
}

std::shared_ptr<const Program::Fixed> Program::MakeFixed() const {
  auto fixed = std::make_shared<Fixed>();
  fixed->tensors.resize(fixed_count_);
  for (size_t i = 0; i < shared_.size(); ++i) {
    const SlotInfo& slot = graph_.slots[shared_[i]];
    Require(slot.tensor.scalar_type() == slot.dtype && slot.tensor.device() == slot.device, ErrorKind::kDType,
            "Expected ", DTypeName(slot.dtype), " on ", slot.device.str(), " for ",
            slot.name.empty() ? "a constant" : slot.name, " of the program but it has become ",
            DTypeName(slot.tensor.scalar_type()), " on ", slot.tensor.device().str(),
            ": compile the module again");
    fixed->tensors[i] = slot.tensor.detach();
    fixed->versions.push_back(StorageAndVersionOf(slot.tensor));
  }
  Tensors results;
  for (const Ready& step : once_) {
    results.clear();
    Call(step, {nullptr, fixed->tensors.data(), 0}, results);
    for (size_t i = 0; i < step.results.size() && i < results.size(); ++i)
      if (step.results[i] < 0) fixed->tensors[-1 - step.results[i]] = std::move(results[i]);
  }
  // Of what was computed, only what runs need stays.
  std::vector<bool> needed(fixed_count_);
  const auto need = [&](const std::vector<int64_t>& places) {
    for (const int64_t place : places)
      if (place < 0) needed[-1 - place] = true;
  };
  for (const Ready& step : steps_) need(SlotsIn(Placed(graph_.steps[step.step].arguments)));
  need(SlotsIn(output_));
  for (size_t i = 0; i < fixed->tensors.size(); ++i) {
    if (!needed[i]) fixed->tensors[i].reset();
    if (const void* storage = StorageOf(fixed->tensors[i])) fixed->storages.insert(storage);
  }
  return fixed;
}

std::shared_ptr<const Program::Fixed> Program::CurrentFixed() {
  std::lock_guard lock(mutex_);
  const auto changed = [this] {
    for (size_t i = 0; i < shared_.size(); ++i)
      if (StorageAndVersionOf(graph_.slots[shared_[i]].tensor) != fixed_->versions[i]) return true;
    return false;
  };
  if (fixed_ == nullptr || changed()) fixed_ = MakeFixed();
  return fixed_;
}

void Program::Refresh() {
  std::lock_guard lock(mutex_);
  fixed_.reset();
}

std::shared_ptr<Arena> Program::ArenaFor(int64_t batch) {
  constexpr size_t kMost = 64;                                      // some kilobytes each
  const std::pair<int64_t, int> key{batch, at::get_num_threads()};  // kernels plan their scratch by threads
  std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(arenas_, key, [](const auto& entry) { return entry.first; });
  if (found != arenas_.end()) {
    arenas_.splice(arenas_.begin(), arenas_, found);
  } else {
    arenas_.emplace_front(key, std::make_shared<Arena>());
    if (arenas_.size() > kMost) arenas_.pop_back();
  }
  return arenas_.front().second;
}

Value Program::Output(const Tensors& values, const Fixed& fixed, int64_t batch) const {
  const Frame frame{const_cast<at::Tensor*>(values.data()), fixed.tensors.data(), batch};
  Value output = output_;
  ForEachValue(output, [&](Value& part) {
    if (const Affine* affine = part.As<Affine>()) {
      part = affine->At(batch);
    } else if (const Slot* slot = part.As<Slot>()) {
      part = frame.At(*slot);
    }
  });
  return output;
}

Value Program::RunTimed(const std::vector<Value>& inputs, std::vector<StepTime>* times) {
  Tensors values(value_count_);
  int64_t batch = 0;
  CheckInputs(inputs, values, batch);
  const RunGuard guard;
  const std::shared_ptr<const Fixed> fixed = CurrentFixed();
  const bool whole = times != nullptr || at::in_parallel_region();
  const int64_t parts = whole ? 1 : PartsOf(batch, at::get_num_threads());
  return parts > 1 ? RunParts(values, *fixed, batch, parts) : RunSteps(values, *fixed, batch, times, nullptr);
}

int64_t Program::PartsOf(int64_t batch, int64_t threads) const {
  if (!independent_rows_ || threads == 1 || batch < threads) return 1;
  // Every part reads all weights: it pays where there are more values. Measured on two threads: AlexNet is
  // equally fast either way at half as many values as weights; MobileNetV3-Small takes half the time from 2
  // samples on.
  return 4 * batch * bytes_of_sample_ >= threads * bytes_of_parameters_ ? threads : 1;
}

Value Program::RunParts(const Tensors& values, const Fixed& fixed, int64_t batch, int64_t parts) {
  Tensors whole;  // in the order of the output
  Value output = graph_.output;
  ForEachValue(output, [&](Value& part) {
    const Slot* slot = part.As<Slot>();
    if (slot == nullptr) return;
    const SlotInfo& info = graph_.slots[slot->index];
    std::vector<int64_t> sizes;
    for (const Affine& size : *info.sizes) sizes.push_back(size.At(batch));
    part = whole.emplace_back(at::empty(sizes, info.dtype));
  });
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    const RunGuard guard;
    const SerialScope serial(true);
    const at::internal::ThreadIdGuard first(0);  // kernels have scratch memory by the number of the thread
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = batch * part / parts, rows = batch * (part + 1) / parts - first;
      Tensors own(value_count_), rows_of_whole;
      for (size_t i = 0; i < graph_.inputs.size(); ++i) own[i] = values[i].narrow(0, first, rows);
      for (const at::Tensor& tensor : whole) rows_of_whole.push_back(tensor.narrow(0, first, rows));
      RunSteps(own, fixed, rows, nullptr, &rows_of_whole);
    }
  });
  return output;
}

Value Program::RunSteps(Tensors& values, const Fixed& fixed, int64_t batch, std::vector<StepTime>* times,
                        const Tensors* into) {
  const Frame frame{values.data(), fixed.tensors.data(), batch};
  std::unordered_set<const void*> foreign;
  for (size_t i = 0; i < graph_.inputs.size(); ++i) foreign.insert(StorageOf(values[i]));
  const std::shared_ptr<Arena> arena = ArenaFor(batch);
  const ArenaRun memory(*arena);
  const StopWatch watch;
  Tensors results;
  for (const Ready& step : steps_) {
    const double start = times == nullptr ? 0 : watch.Microseconds();
    results.clear();
    Call(step, frame, results);
    Require(results.size() == step.results.size(), ErrorKind::kShape, "Expected ", step.results.size(),
            " results of ", graph_.steps[step.step].operation->Name(), "() for a batch of ", batch,
            " but it gave ", results.size());
    for (size_t i = 0; i < results.size(); ++i)
      if (step.results[i] >= 0) values[step.results[i]] = std::move(results[i]);
    for (const int64_t place : step.released) values[place].reset();
    if (times != nullptr)
      times->push_back({static_cast<int64_t>(step.step), start, watch.Microseconds() - start});
  }
  results.clear();
  Value output = Output(values, fixed, batch);
  if (into != nullptr) {
    size_t index = 0;
    ForEachValue(output, [&](const Value& part) {
      if (const at::Tensor* tensor = part.As<at::Tensor>()) into->at(index++).copy_(*tensor);
    });
    // Before the end of the arena's run: its blocks are for the next one.
    values.clear();
    return {};
  }
  // What is part of an input or parameter is copied: a later change of one would change the other.
  ForEachValue(output, [&](Value& part) {
    at::Tensor* tensor = part.As<at::Tensor>();
    if (tensor == nullptr) return;
    const void* storage = StorageOf(*tensor);
    if (foreign.contains(storage) || fixed.storages.contains(storage)) *tensor = tensor->clone();
  });
  return output;
}

}  // namespace dyconv
