#include "program/unify.h"

#include <ATen/ops/equal.h>

#include "program/public_name.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using Values = std::vector<const Value*>;

std::string At(const Step& step) { return step.place.empty() ? "" : " at " + step.place; }

// The recordings of one forward, and where in them the comparison is.
class Comparison {
 public:
  Comparison(const std::vector<Graph>& recordings, const std::vector<int64_t>& batches)
      : recordings_(recordings), batches_(batches) {}

  Graph Unified() {
    CheckSteps();
    Graph graph = recordings_[0];
    CheckConstants();
    for (size_t i = 0; i < graph.slots.size(); ++i) graph.slots[i].sizes = SizesOf(i);
    for (size_t i = 0; i < graph.steps.size(); ++i) {
      step_ = &graph.steps[i];
      for (const Graph& other : recordings_) step_->pinned |= other.steps[i].pinned;
      for (argument_ = 0; argument_ < step_->arguments.size(); ++argument_) {
        Values values;
        for (const Graph& other : recordings_) values.push_back(&other.steps[i].arguments[argument_]);
        step_->arguments[argument_] = Merge(values);
      }
    }
    step_ = nullptr;
    Values outputs;
    for (const Graph& other : recordings_) outputs.push_back(&other.output);
    graph.output = Merge(outputs);
    return graph;
  }

 private:
  // The same operations, with results in the same slots.
  void CheckSteps() const {
    const Graph& first = recordings_[0];
    for (size_t r = 1; r < recordings_.size(); ++r) {
      const Graph& other = recordings_[r];
      for (size_t i = 0; i < std::max(first.steps.size(), other.steps.size()); ++i) {
        const bool both = i < first.steps.size() && i < other.steps.size();
        if (both && first.steps[i].operation == other.steps[i].operation &&
            first.steps[i].results == other.steps[i].results)
          continue;
        const auto what = [i](const Graph& graph) {
          if (i >= graph.steps.size()) return std::string("the end");
          return PublicNameOf(graph.steps[i].operation->signature) + "()" + At(graph.steps[i]);
        };
        Fail(ErrorKind::kArgument,
             "Expected a network that computes the same steps for every batch size but step ", i, " is ",
             what(first), " for ", batches_[0], " and ", what(other), " for ", batches_[r],
             ": { dynamicBatch: false } compiles it for the batch size of the example");
      }
    }
  }

  // Tensors that are neither inputs nor results: the same ones, or new ones with the same elements.
  void CheckConstants() const {
    for (size_t i = 0; i < recordings_[0].slots.size(); ++i) {
      const SlotInfo& slot = recordings_[0].slots[i];
      if (!slot.IsFixed()) continue;
      for (const Graph& other : recordings_) {
        const at::Tensor& tensor = other.slots.at(i).tensor;
        const bool same =
            tensor.defined() && (tensor.is_same(slot.tensor) ||
                                 (tensor.scalar_type() == slot.dtype &&
                                  tensor.sizes() == slot.tensor.sizes() && at::equal(tensor, slot.tensor)));
        Require(same, ErrorKind::kArgument,
                "Expected a network whose constants are the same for every batch size but one of shape ",
                slot.tensor.sizes(), " is not: make it from the shape of the input");
      }
    }
  }

  std::optional<Affine> Line(const std::vector<int64_t>& numbers) const {
    const int64_t run = batches_[1] - batches_[0];
    const int64_t rise = numbers[1] - numbers[0];
    if (rise % run != 0) return std::nullopt;
    const Affine line{rise / run, numbers[0] - rise / run * batches_[0]};
    for (size_t i = 0; i < numbers.size(); ++i)
      if (line.At(batches_[i]) != numbers[i]) return std::nullopt;
    return line;
  }

  Sizes SizesOf(size_t slot) const {
    std::vector<Affine> sizes;
    const size_t dims = recordings_[0].slots[slot].sizes->size();
    for (size_t d = 0; d < dims; ++d) {
      std::vector<int64_t> numbers;
      for (const Graph& graph : recordings_) {
        const std::vector<Affine>& own = *graph.slots.at(slot).sizes;
        if (own.size() != dims) return std::nullopt;
        numbers.push_back(own[d].offset);
      }
      const std::optional<Affine> line = Line(numbers);
      if (!line) return std::nullopt;
      sizes.push_back(*line);
    }
    return sizes;
  }

  [[noreturn]] void Reject(const Values& values) const {
    std::string received;
    for (size_t i = 0; i < values.size(); ++i) {
      received += (i == 0 ? "" : ", ") + values[i]->ToString() + " for " + std::to_string(batches_[i]);
    }
    const std::string where = step_ == nullptr
                                  ? "the output"
                                  : step_->operation->ArgumentName(argument_) + " of " +
                                        PublicNameOf(step_->operation->signature) + "()" + At(*step_);
    Fail(ErrorKind::kArgument, "Expected a network that computes the same for every batch size, but ", where,
         " is ", received, ": { dynamicBatch: false } compiles it for the batch size of the example");
  }

  Value Merge(const Values& values) const {
    const Value& first = *values[0];
    if (const List* list = first.As<List>()) {
      for (const Value* value : values) {
        const List* other = value->As<List>();
        if (other == nullptr || other->size() != list->size()) Reject(values);
      }
      List merged;
      for (size_t i = 0; i < list->size(); ++i) {
        Values elements;
        for (const Value* value : values) elements.push_back(&(*value->As<List>())[i]);
        merged.push_back(Merge(elements));
      }
      return merged;
    }
    if (const Record* record = first.As<Record>()) return MergeRecords(*record, values);
    if (first.As<int64_t>()) return MergeIntegers(values);
    for (const Value* value : values)
      if (value->ToString() != first.ToString() || !SameNumber(*value, first)) Reject(values);
    return first;
  }

  static bool SameNumber(const Value& a, const Value& b) {
    const double* left = a.As<double>();
    const double* right = b.As<double>();
    if (left == nullptr || right == nullptr) return left == right;
    return *left == *right || (*left != *left && *right != *right);
  }

  Value MergeRecords(const Record& record, const Values& values) const {
    for (const Value* value : values) {
      const Record* other = value->As<Record>();
      if (other == nullptr || other->size() != record.size()) Reject(values);
      for (size_t i = 0; i < record.size(); ++i)
        if ((*other)[i].first != record[i].first) Reject(values);
    }
    Record merged;
    for (size_t i = 0; i < record.size(); ++i) {
      Values elements;
      for (const Value* value : values) elements.push_back(&(*value->As<Record>())[i].second);
      merged.emplace_back(record[i].first, Merge(elements));
    }
    return merged;
  }

  Value MergeIntegers(const Values& values) const {
    std::vector<int64_t> numbers;
    for (const Value* value : values) {
      const int64_t* number = value->As<int64_t>();
      if (number == nullptr) Reject(values);
      numbers.push_back(*number);
    }
    const std::optional<Affine> line = Line(numbers);
    if (!line) Reject(values);
    return line->factor == 0 ? Value(line->offset) : Value(*line);
  }

  const std::vector<Graph>& recordings_;
  const std::vector<int64_t>& batches_;
  Step* step_ = nullptr;
  size_t argument_ = 0;
};

}  // namespace

Graph Unify(std::vector<Graph> recordings, const std::vector<int64_t>& batches) {
  return Comparison(recordings, batches).Unified();
}

}  // namespace dyconv
