#include "program/description.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "dtype_name.h"
#include "program/fused_operations.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using Kind = SlotInfo::Kind;
constexpr std::array<std::pair<Kind, const char*>, 4> kKinds = {{{Kind::kInput, "input"},
                                                                 {Kind::kParameter, "parameter"},
                                                                 {Kind::kConstant, "constant"},
                                                                 {Kind::kValue, "value"}}};
constexpr int64_t kMaxSafe = int64_t{1} << 53;
constexpr int kMaxDepth = 16;

Value Numbers(const Affine& affine) { return List{affine.factor, affine.offset}; }

std::string TextOf(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

Value Encode(const Value& value) {
  if (const Slot* slot = value.As<Slot>()) return Record{{"slot", slot->index}};
  if (const Affine* affine = value.As<Affine>()) return Record{{"batch", Numbers(*affine)}};
  if (const double* number = value.As<double>()) return Record{{"number", TextOf(*number)}};
  if (const int64_t* integer = value.As<int64_t>(); integer != nullptr && std::abs(*integer) >= kMaxSafe)
    return Record{{"integer", std::to_string(*integer)}};
  if (const List* list = value.As<List>()) {
    List encoded;
    for (const Value& element : *list) encoded.push_back(Encode(element));
    return encoded;
  }
  if (const Record* record = value.As<Record>()) {
    Record encoded;
    for (const auto& [key, element] : *record) encoded.emplace_back(key, Encode(element));
    return Record{{"record", encoded}};
  }
  return value;
}

Value EncodeQuantization(const Quantization& quantization) {
  List layers, ranges;
  for (const int64_t layer : quantization.layers) layers.push_back(layer);
  for (const auto& [slot, params] : quantization.ranges)
    ranges.push_back(
        Record{{"slot", slot}, {"scale", TextOf(params[0])}, {"zeroPoint", static_cast<int64_t>(params[1])}});
  return Record{{"layers", layers}, {"ranges", ranges}};
}

Value EncodeSlot(const SlotInfo& slot) {
  Value sizes;
  if (slot.sizes) {
    List list;
    for (const Affine& size : *slot.sizes)
      list.push_back(size.factor == 0 ? Value(size.offset) : Numbers(size));
    sizes = list;
  }
  const char* kind = "";
  for (const auto& [known, name] : kKinds)
    if (known == slot.kind) kind = name;
  return Record{{"kind", kind},
                {"name", slot.name},
                {"sizes", sizes},
                {"dtype", DTypeName(slot.dtype)},
                {"device", slot.device.str()}};
}

// ---- Reading: every field is checked ----

const Value& Field(const Record& record, const char* name) {
  for (const auto& [key, value] : record)
    if (key == name) return value;
  Fail(ErrorKind::kArgument, "Expected a description of a program but a field '", name, "' is missing");
}

Affine AffineOf(const Value& value) {
  if (const int64_t* size = value.As<int64_t>()) return {0, *size};
  const List& numbers = ListOf(value, 2);
  return {numbers[0].Get<int64_t>(), numbers[1].Get<int64_t>()};
}

class Reader {
 public:
  Graph Read(const Record& description, const Tensors& tensors) {
    graph_.dynamic_batch = Field(description, "dynamicBatch").Get<bool>();
    size_t next = 0;
    for (const Value& slot : Field(description, "slots").Get<List>())
      ReadSlot(slot.Get<Record>(), tensors, next);
    Require(next == tensors.size(), ErrorKind::kArgument, "Expected ", next,
            " tensors for the program but received ", tensors.size());
    known_.resize(graph_.slots.size());
    for (size_t i = 0; i < graph_.slots.size(); ++i) known_[i] = graph_.slots[i].IsFixed();
    for (const Value& input : Field(description, "inputs").Get<List>()) ReadInput(input);
    for (const Value& step : Field(description, "steps").Get<List>()) ReadStep(step.Get<Record>());
    graph_.output = Decode(Field(description, "output"), 0);
    // Files of earlier versions have none.
    for (const auto& [key, value] : description)
      if (key == "quantization" && !value.IsNull()) ReadQuantization(value.Get<Record>());
    return std::move(graph_);
  }

 private:
  void ReadSlot(const Record& record, const Tensors& tensors, size_t& next) {
    const std::string& kind = Field(record, "kind").Get<std::string>();
    SlotInfo slot;
    slot.name = Field(record, "name").Get<std::string>();
    bool found = false;
    for (const auto& [known, name] : kKinds) {
      if (kind == name) slot.kind = known;
      found |= kind == name;
    }
    Require(found, ErrorKind::kArgument, "Expected a kind of slot but received '", kind, "'");
    slot.dtype = AsValue<at::ScalarType>::Read(Field(record, "dtype"), {});
    slot.device = AsValue<at::Device>::Read(Field(record, "device"), {});
    if (const Value& sizes = Field(record, "sizes"); !sizes.IsNull()) {
      slot.sizes.emplace();
      for (const Value& size : sizes.Get<List>()) slot.sizes->push_back(AffineOf(size));
    }
    if (slot.IsFixed()) {
      Require(next < tensors.size(), ErrorKind::kArgument, "Expected a tensor for ", slot.name);
      slot.tensor = tensors[next++];
      slot.dtype = slot.tensor.scalar_type();
      slot.device = slot.tensor.device();
    }
    graph_.slots.push_back(std::move(slot));
  }

  int64_t Index(const Value& value) const {
    const int64_t index = value.Get<int64_t>();
    Require(index >= 0 && index < static_cast<int64_t>(graph_.slots.size()), ErrorKind::kArgument,
            "Expected a slot from 0 to ", graph_.slots.size(), " but received ", index);
    return index;
  }

  void ReadInput(const Value& value) {
    const int64_t index = Index(value);
    const SlotInfo& slot = graph_.slots[index];
    Require(slot.kind == Kind::kInput && slot.sizes && !known_[index], ErrorKind::kArgument,
            "Expected a new input with sizes for slot ", index);
    known_[index] = true;
    graph_.inputs.push_back(index);
  }

  void ReadStep(const Record& record) {
    const std::string& name = Field(record, "operation").Get<std::string>();
    Step step;
    step.operation = FindOperation(name);
    step.pinned = Field(record, "pinned").Get<bool>();
    Require(step.operation != nullptr && !IsFusedOperation(name), ErrorKind::kArgument,
            "Expected an operation of programs but received '", name, "'");
    for (const Value& argument : Field(record, "arguments").Get<List>())
      step.arguments.push_back(Decode(argument, 0));
    for (const Value& result : Field(record, "results").Get<List>()) {
      step.results.push_back(-1);
      if (result.IsNull()) continue;
      const int64_t index = Index(result);
      step.results.back() = index;
      const bool again = known_[index];  // the tensor itself, changed in place
      Require(graph_.slots[index].kind == Kind::kValue && (!again || step.pinned), ErrorKind::kArgument,
              "Expected a new slot for a result of ", name, "() but received ", index);
      known_[index] = true;
    }
    graph_.steps.push_back(std::move(step));
  }

  void ReadQuantization(const Record& record) {
    Quantization quantization;
    for (const Value& layer : Field(record, "layers").Get<List>())
      quantization.layers.push_back(Index(layer));
    for (const Value& range : Field(record, "ranges").Get<List>()) {
      const Record& fields = range.Get<Record>();
      const double scale = std::strtod(Field(fields, "scale").Get<std::string>().c_str(), nullptr);
      const int64_t zero = Field(fields, "zeroPoint").Get<int64_t>();
      const auto narrow = static_cast<float>(scale);
      Require(narrow > 0 && std::isfinite(narrow) && std::isfinite(1 / narrow) && zero >= 0 && zero <= 255,
              ErrorKind::kArgument, "Expected a scale above 0 and a zero point from 0 to 255 but received ",
              scale, " and ", zero);
      quantization.ranges.emplace_back(Index(Field(fields, "slot")),
                                       std::array<double, 2>{scale, static_cast<double>(zero)});
    }
    graph_.quantization = std::move(quantization);
  }

  Value Decode(const Value& value, int depth) const {
    Require(depth < kMaxDepth, ErrorKind::kArgument, "Expected arguments nested at most ", kMaxDepth);
    if (const List* list = value.As<List>()) {
      List decoded;
      for (const Value& element : *list) decoded.push_back(Decode(element, depth + 1));
      return decoded;
    }
    const Record* record = value.As<Record>();
    if (record == nullptr) return value;
    Require(record->size() == 1, ErrorKind::kArgument, "Expected a value with one key");
    const auto& [key, inner] = record->front();
    if (key == "slot") return UsedSlot(inner);
    if (key == "batch") return AffineOf(inner);
    if (key == "number") return std::strtod(inner.Get<std::string>().c_str(), nullptr);
    if (key == "integer") return Integer(inner.Get<std::string>());
    Require(key == "record", ErrorKind::kArgument, "Expected a known kind of value but received '", key, "'");
    Record decoded;
    for (const auto& [name, element] : inner.Get<Record>())
      decoded.emplace_back(name, Decode(element, depth + 1));
    return decoded;
  }

  Slot UsedSlot(const Value& value) const {
    const int64_t index = Index(value);
    Require(known_[index], ErrorKind::kArgument, "Expected a slot that has a value but received ", index);
    return {index};
  }

  static int64_t Integer(const std::string& text) {
    int64_t integer = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
    Require(error == std::errc() && end == text.data() + text.size(), ErrorKind::kArgument,
            "Expected an integer but received '", text, "'");
    return integer;
  }

  Graph graph_;
  std::vector<bool> known_;  // slots that have a value
};

}  // namespace

Record Describe(const Graph& graph) {
  List slots, inputs, steps;
  for (const SlotInfo& slot : graph.slots) slots.push_back(EncodeSlot(slot));
  for (const int64_t input : graph.inputs) inputs.push_back(input);
  for (const Step& step : graph.steps) {
    List results;
    for (const int64_t result : step.results) results.push_back(result < 0 ? Value() : Value(result));
    steps.push_back(Record{{"operation", step.operation->Name()},
                           {"arguments", Encode(step.arguments)},
                           {"results", results},
                           {"pinned", step.pinned}});
  }
  return {{"dynamicBatch", graph.dynamic_batch},
          {"slots", slots},
          {"inputs", inputs},
          {"steps", steps},
          {"output", Encode(graph.output)},
          {"quantization", graph.quantization ? EncodeQuantization(*graph.quantization) : Value()}};
}

Graph GraphOf(const Value& description, const Tensors& tensors) {
  return Reader().Read(description.Get<Record>(), tensors);
}

}  // namespace dyconv
