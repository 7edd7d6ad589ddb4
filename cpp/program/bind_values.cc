#include "program/bind_values.h"

#include "dtype_name.h"
#include "typed_error.h"

namespace dyconv {

using at::indexing::TensorIndex;

at::Scalar AsValue<at::Scalar>::Read(const Value& value, const Frame& frame) {
  if (const bool* boolean = value.As<bool>()) return *boolean;
  if (const double* number = value.As<double>()) return *number;
  return AsValue<int64_t>::Read(value, frame);
}

Value AsValue<at::Scalar>::Make(const at::Scalar& value) {
  if (value.isBoolean()) return value.to<bool>();
  if (value.isIntegral(/*includeBool=*/false)) return value.to<int64_t>();
  return value.to<double>();
}

at::ScalarType AsValue<at::ScalarType>::Read(const Value& value, const Frame&) {
  const std::string& name = value.Get<std::string>();
  for (const auto& [type, known] : kDTypeNames)
    if (name == known) return type;
  Fail(ErrorKind::kDType, "Expected a dtype but received '", name, "'");
}

Value AsValue<at::ScalarType>::Make(const at::ScalarType& value) { return DTypeName(value); }

at::Device AsValue<at::Device>::Read(const Value& value, const Frame&) {
  return at::Device(value.Get<std::string>());
}

Value AsValue<at::Device>::Make(const at::Device& value) { return value.str(); }

// As JavaScript writes an index: null, '...', integers, booleans, tensors, and a range as the list of its
// bounds and step.
TensorIndex AsValue<TensorIndex>::Read(const Value& value, const Frame& frame) {
  if (value.IsNull()) return at::indexing::None;
  if (const bool* boolean = value.As<bool>()) return *boolean;
  if (value.As<std::string>()) return at::indexing::Ellipsis;
  if (value.As<Slot>()) return AsValue<at::Tensor>::Read(value, frame);
  if (!value.As<List>()) return AsValue<int64_t>::Read(value, frame);
  const List& range = ListOf(value, 3);
  const auto bound = [&](size_t i) -> std::optional<c10::SymInt> {
    if (range[i].IsNull()) return std::nullopt;
    return AsValue<int64_t>::Read(range[i], frame);
  };
  return at::indexing::Slice(bound(0), bound(1), bound(2));
}

Value AsValue<TensorIndex>::Make(const TensorIndex& value) {
  if (value.is_none()) return {};
  if (value.is_boolean()) return value.boolean();
  if (value.is_ellipsis()) return "...";
  if (value.is_integer()) return value.integer().expect_int();
  if (value.is_tensor()) return value.tensor();
  const at::indexing::Slice& range = value.slice();
  // An absent bound was filled in with the largest or smallest integer.
  const auto bound = [](int64_t position) {
    const bool absent = position == at::indexing::INDEX_MAX || position == at::indexing::INDEX_MIN;
    return absent ? Value() : Value(position);
  };
  return List{bound(range.start().expect_int()), bound(range.stop().expect_int()), range.step().expect_int()};
}

const List& ListOf(const Value& value, size_t length) {
  const List& list = value.Get<List>();
  Require(list.size() == length, ErrorKind::kArgument, "Expected a list of ", length, " but received ",
          list.size());
  return list;
}

}  // namespace dyconv
