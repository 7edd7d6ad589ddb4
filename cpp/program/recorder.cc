#include "program/recorder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/equal.h>

#include "program/public_name.h"
#include "program/versions.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// Queries whose answer does not depend on the elements. The answer itself becomes a number of the network,
// which is a function of the batch size or the same in every run.
constexpr std::array<std::string_view, 17> kShapeQueries = {
    "shape",        "strides",     "numel",      "ndim",      "elements",     "isContiguous",
    "dtype",        "device",      "isDisposed", "isLeaf",    "requiresGrad", "grad",
    "gradFunction", "retainsGrad", "isPinned",   "checkDims", "checkImages"};
// Those of them that return sizes.
constexpr std::array<std::string_view, 5> kSizeQueries = {"shape", "strides", "numel", "elements",
                                                          "isContiguous"};
// Operations whose result has a shape that depends on the elements.
constexpr std::array<std::string_view, 9> kSizedByValues = {
    "nonzero",           "argwhere",         "maskedSelect", "unique",          "uniqueDim",
    "uniqueConsecutive", "repeatInterleave", "bincount",     "bincountWeighted"};

// Operations that draw from the generator, some of them for some arguments only. The generator's state tells,
// but is the process's: another thread may change it at any time.
constexpr std::array<std::string_view, 25> kMayDraw = {"rand",
                                                       "randn",
                                                       "randint",
                                                       "randperm",
                                                       "dropout",
                                                       "featureDropout",
                                                       "alphaDropout",
                                                       "featureAlphaDropout",
                                                       "rrelu",
                                                       "gumbelSoftmax",
                                                       "scaledDotProductAttention",
                                                       "lstm",
                                                       "gru",
                                                       "rnn",
                                                       "bernoulli",
                                                       "multinomial",
                                                       "poisson",
                                                       "uniform",
                                                       "normal",
                                                       "bernoulliInPlace",
                                                       "exponentialInPlace",
                                                       "logNormalInPlace",
                                                       "cauchyInPlace",
                                                       "geometricInPlace",
                                                       "randomInPlace"};

std::string_view NameIn(const char* signature) {
  return {signature, static_cast<size_t>(std::strchr(signature, '(') - signature)};
}

bool IsOneOf(std::string_view name, const auto& names) { return std::ranges::count(names, name) > 0; }

const void* KeyOf(const at::Tensor& tensor) { return tensor.unsafeGetTensorImpl(); }

// Indexing by a mask of booleans.
bool SelectsByMask(const Tensors& tensors) {
  return std::any_of(tensors.begin() + 1, tensors.end(), [](const at::Tensor& index) {
    return index.scalar_type() == at::kBool || index.scalar_type() == at::kByte;
  });
}

at::Tensor GeneratorState(const Tensors& tensors) {
  for (const at::Tensor& tensor : tensors)
    if (tensor.is_cuda()) return at::globalContext().defaultGenerator(tensor.device()).get_state();
  return at::detail::getDefaultCPUGenerator().get_state();
}

}  // namespace

void Recorder::Refuse(const char* signature, const std::string& problem) const {
  const std::string place = locate_ ? locate_() : "";
  Fail(ErrorKind::kArgument, "Expected a network that can be compiled but ", PublicNameOf(signature), "()",
       place.empty() ? "" : " at " + place, " ", problem);
}

void Recorder::AddParameter(const std::string& name, const at::Tensor& tensor) {
  parameters_.emplace_back(name, tensor);
}

int64_t Recorder::Add(SlotInfo::Kind kind, const at::Tensor& tensor, const std::string& name) {
  SlotInfo slot;
  slot.kind = kind;
  slot.name = name;
  slot.dtype = tensor.scalar_type();
  slot.device = tensor.device();
  if (slot.IsFixed()) slot.tensor = tensor;
  slot.sizes.emplace();
  for (const int64_t size : tensor.sizes()) slot.sizes->push_back({0, size});
  const int64_t index = graph_.AddSlot(std::move(slot));
  tensors_.push_back(tensor);
  slots_[KeyOf(tensor)] = index;
  return index;
}

void Recorder::Begin(const Tensors& inputs) {
  graph_ = Graph();
  tensors_.clear();
  slots_.clear();
  changed_.clear();
  sized_by_values_.clear();
  for (const auto& [name, tensor] : parameters_) Add(SlotInfo::Kind::kParameter, tensor, name);
  for (const at::Tensor& input : inputs) graph_.inputs.push_back(Add(SlotInfo::Kind::kInput, input));
}

void Recorder::Finish(const Value& output) {
  graph_.output = WithSlots(output);
  // What is changed in place, and all that shares its memory.
  for (Step& step : graph_.steps) {
    const auto shares = [&](int64_t slot) {
      return slot >= 0 && changed_.contains(StorageOf(tensors_[slot]));
    };
    step.pinned =
        std::ranges::any_of(step.results, shares) || std::ranges::any_of(SlotsIn(step.arguments), shares);
  }
  recordings_.push_back(std::exchange(graph_, {}));
  tensors_.clear();
  slots_.clear();
}

int64_t Recorder::SlotOf(const at::Tensor& tensor) {
  const auto found = slots_.find(KeyOf(tensor));
  return found != slots_.end() ? found->second : Add(SlotInfo::Kind::kConstant, tensor);
}

Value Recorder::WithSlots(Value value) {
  ForEachValue(value, [this](Value& part) {
    const at::Tensor* tensor = part.As<at::Tensor>();
    if (tensor != nullptr) part = tensor->defined() ? Value(Slot{SlotOf(*tensor)}) : Value();
  });
  return value;
}

bool Recorder::Varies(const at::Tensor& tensor) const {
  const auto found = slots_.find(KeyOf(tensor));
  return found != slots_.end() && !graph_.slots[found->second].IsFixed();
}

void Recorder::Mutated(const char* signature, const at::Tensor& tensor) {
  const void* storage = StorageOf(tensor);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const SlotInfo& slot = graph_.slots[i];
    if (slot.kind == SlotInfo::Kind::kValue || StorageOf(tensors_[i]) != storage) continue;
    Refuse(signature, slot.kind == SlotInfo::Kind::kInput ? "changes an input in place"
                      : slot.name.empty()                 ? "changes a constant in place"
                                                          : "changes " + slot.name + " in place");
  }
  changed_.insert(storage);
}

void Recorder::AddStep(const char* signature, List arguments, const Tensors& results,
                       const std::unordered_set<const void*>& mutated) {
  Step step;
  step.operation = FindOperation(NameIn(signature));
  if (locate_) step.place = locate_();
  if (step.operation == nullptr) Refuse(signature, "cannot be a step of a program");
  for (const Value& argument : arguments) step.arguments.push_back(WithSlots(argument));
  bool sized = IsOneOf(NameIn(signature), kSizedByValues);
  for (const int64_t slot : SlotsIn(step.arguments)) sized |= sized_by_values_.contains(slot);
  for (const at::Tensor& result : results) {
    if (!result.defined()) {
      step.results.push_back(-1);
      continue;
    }
    const auto found = slots_.find(KeyOf(result));
    const bool known = found != slots_.end();
    // A change in place gives the tensor itself; a parameter that comes back unchanged stays one.
    if (known && mutated.contains(KeyOf(result))) {
      step.results.push_back(found->second);
    } else if (known && graph_.slots[found->second].IsFixed()) {
      if (results.size() == 1) return;
      const int64_t kept = found->second;
      step.results.push_back(Add(SlotInfo::Kind::kValue, result));
      slots_[KeyOf(result)] = kept;
    } else {
      step.results.push_back(Add(SlotInfo::Kind::kValue, result));
    }
    if (sized) sized_by_values_.insert(step.results.back());
  }
  graph_.steps.push_back(std::move(step));
}

RecordedCall::RecordedCall(Recorder& recorder, const char* signature, Kind kind, List arguments)
    : recorder_(recorder), signature_(signature), kind_(kind), arguments_(std::move(arguments)) {
  for (const Value& argument : arguments_) {
    ForEachValue(argument, [this](const Value& part) {
      if (const at::Tensor* tensor = part.As<at::Tensor>(); tensor != nullptr && tensor->defined())
        tensors_.push_back(*tensor);
    });
  }
  const std::string_view name = NameIn(signature);
  const bool varies =
      std::ranges::any_of(tensors_, [&](const at::Tensor& tensor) { return recorder_.Varies(tensor); });
  if (kind == Kind::kOpaque && varies)
    recorder_.Refuse(signature, "takes a tensor that depends on the input out of the program");
  if (kind == Kind::kQuery && varies) {
    if (!IsOneOf(name, kShapeQueries)) {
      recorder_.Refuse(signature,
                       "reads values that depend on the input: a program computes the same steps for every "
                       "input");
    }
    const bool sized = std::ranges::any_of(tensors_, [&](const at::Tensor& tensor) {
      return recorder_.sized_by_values_.contains(recorder_.SlotOf(tensor));
    });
    if (sized && IsOneOf(name, kSizeQueries))
      recorder_.Refuse(signature, "reads a size that depends on the values of the input");
  }
  const bool* enabled = arguments_.empty() ? nullptr : arguments_[0].As<bool>();
  if (name == "setAutocast" && enabled != nullptr && *enabled)
    recorder_.Refuse(signature, "switches autocast on: compile with { dtype: 'bfloat16' } instead");
  if (kind != Kind::kOperation) return;
  for (const at::Tensor& tensor : tensors_) versions_.push_back(VersionOf(tensor));
  if (IsOneOf(name, kMayDraw)) generator_ = GeneratorState(tensors_);
}

void RecordedCall::Finish(const Tensors& results) {
  if (kind_ != Kind::kOperation) return;
  if (generator_.defined() && !at::equal(generator_, GeneratorState(tensors_))) {
    recorder_.Refuse(signature_,
                     "draws random numbers: use eval(), and make random tensors outside of forward");
  }
  std::unordered_set<const void*> mutated;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (VersionOf(tensors_[i]) == versions_[i]) continue;
    recorder_.SlotOf(tensors_[i]);
    recorder_.Mutated(signature_, tensors_[i]);
    mutated.insert(KeyOf(tensors_[i]));
  }
  recorder_.AddStep(signature_, std::move(arguments_), results, mutated);
  if (NameIn(signature_) == "index" && SelectsByMask(tensors_)) {
    for (const at::Tensor& result : results) recorder_.sized_by_values_.insert(recorder_.SlotOf(result));
  }
}

}  // namespace dyconv
