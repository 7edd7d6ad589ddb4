// Values that programs and foreign runners pass around: what an argument of an operation, an input or an
// output can be. No JavaScript and no libtorch interpreter behind them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace dyconv {

class Value;
using List = std::vector<Value>;
using Record = std::vector<std::pair<std::string, Value>>;  // in the order of insertion

// A tensor of a program, by its number.
struct Slot {
  int64_t index;
  bool operator==(const Slot&) const = default;
};

// An integer that depends on the batch size B of a run: factor * B + offset.
struct Affine {
  int64_t factor, offset;
  bool operator==(const Affine&) const = default;
  int64_t At(int64_t batch) const { return factor * batch + offset; }
};

class Value {
 public:
  Value() = default;  // null
  Value(bool value) : data_(value) {}
  Value(int value) : data_(int64_t{value}) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(at::Tensor value) : data_(std::move(value)) {}
  Value(List value) : data_(std::move(value)) {}
  Value(Record value) : data_(std::move(value)) {}
  Value(Slot value) : data_(value) {}
  Value(Affine value) : data_(value) {}

  bool IsNull() const { return std::holds_alternative<std::monostate>(data_); }
  // The value if it is a T, else null.
  template <class T>
  const T* As() const {
    return std::get_if<T>(&data_);
  }
  template <class T>
  T* As() {
    return std::get_if<T>(&data_);
  }
  // The value as a T. Throws a TypedError that says what it is where it is something else.
  template <class T>
  const T& Get() const {
    if (const T* value = As<T>()) return *value;
    RejectAs(T{});
  }

  template <class F>
  decltype(auto) Visit(F&& visitor) const {
    return std::visit(std::forward<F>(visitor), data_);
  }

  // As in a program's listing: numbers, 'text', [lists], %slots, 2*B+1.
  std::string ToString() const;

 private:
  template <class T>
  [[noreturn]] void RejectAs(const T&) const;

  std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor, List, Record, Slot, Affine>
      data_;
};

// Calls `visit` with every value in `value`, itself first, lists and records at any depth.
void ForEachValue(const Value& value, const auto& visit) {
  visit(value);
  if (const List* list = value.As<List>()) {
    for (const Value& element : *list) ForEachValue(element, visit);
  } else if (const Record* record = value.As<Record>()) {
    for (const auto& [key, element] : *record) ForEachValue(element, visit);
  }
}

void ForEachValue(Value& value, const auto& visit) {
  visit(value);
  if (List* list = value.As<List>()) {
    for (Value& element : *list) ForEachValue(element, visit);
  } else if (Record* record = value.As<Record>()) {
    for (auto& [key, element] : *record) ForEachValue(element, visit);
  }
}

}  // namespace dyconv
