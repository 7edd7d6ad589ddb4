#include "program/ivalue.h"

#include <ATen/core/Dict.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <ATen/core/List.h>
#include <c10/util/StringUtil.h>

#include "dtype_name.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// A value as an error message shows it.
std::string Shown(const Value& value) {
  if (value.IsNull()) return "null";
  if (const auto* tensor = value.As<at::Tensor>()) {
    return std::string("a ") + DTypeName(tensor->scalar_type()) + " Tensor [" +
           c10::Join(", ", tensor->sizes()) + "]";
  }
  if (const auto* list = value.As<List>()) return "an array of " + std::to_string(list->size());
  if (value.As<Record>() != nullptr) return "an object";
  if (const auto* text = value.As<std::string>()) return "'" + *text + "' (string)";
  if (const auto* truth = value.As<bool>()) return *truth ? "true (boolean)" : "false (boolean)";
  if (const auto* integer = value.As<int64_t>()) return std::to_string(*integer) + " (number)";
  if (const auto* number = value.As<double>()) return std::to_string(*number) + " (number)";
  return "a value of another kind";
}

[[noreturn]] void Reject(const Value& value, const c10::Type& type, const std::string& name) {
  Fail(ErrorKind::kArgument, "Expected ", type.annotation_str(), " for ", name, " of run but received ",
       Shown(value));
}

template <class T>
const T& Need(const Value& value, const c10::Type& type, const std::string& name) {
  if (const T* held = value.As<T>()) return *held;
  Reject(value, type, name);
}

c10::IValue ListOf(const Value& value, const c10::ListType& type, const std::string& name) {
  const List& elements = Need<List>(value, type, name);
  c10::impl::GenericList list(type.getElementType());
  for (size_t i = 0; i < elements.size(); ++i) {
    list.push_back(ToIValue(elements[i], *type.getElementType(), name + "[" + std::to_string(i) + "]"));
  }
  return list;
}

c10::IValue DictOf(const Value& value, const c10::DictType& type, const std::string& name) {
  const Record& entries = Need<Record>(value, type, name);
  if (type.getKeyType()->kind() != c10::TypeKind::StringType) Reject(value, type, name);
  c10::impl::GenericDict dict(type.getKeyType(), type.getValueType());
  for (const auto& [key, element] : entries) {
    dict.insert(key, ToIValue(element, *type.getValueType(), name + "." + key));
  }
  return dict;
}

c10::IValue TupleOf(const Value& value, const c10::TupleType& type, const std::string& name) {
  const List& given = Need<List>(value, type, name);
  if (given.size() != type.elements().size()) Reject(value, type, name);
  std::vector<c10::IValue> elements;
  for (size_t i = 0; i < given.size(); ++i) {
    elements.push_back(ToIValue(given[i], *type.elements()[i], name + "[" + std::to_string(i) + "]"));
  }
  return c10::ivalue::Tuple::create(std::move(elements));
}

c10::IValue NumberOf(const Value& value, const c10::Type& type, const std::string& name) {
  if (const auto* integer = value.As<int64_t>()) return *integer;
  return Need<double>(value, type, name);
}

c10::IValue FloatOf(const Value& value, const c10::Type& type, const std::string& name) {
  if (const auto* integer = value.As<int64_t>()) return static_cast<double>(*integer);
  return Need<double>(value, type, name);
}

Value RecordOf(const c10::impl::GenericDict& dict) {
  Record record;
  for (const auto& entry : dict) {
    const c10::IValue& key = entry.key();
    Require(key.isString() || key.isInt(), ErrorKind::kDType,
            "Expected strings or integers as keys of the dictionary that the program returns");
    record.emplace_back(key.isString() ? key.toStringRef() : std::to_string(key.toInt()),
                        FromIValue(entry.value()));
  }
  return record;
}

Value ListOf(at::ArrayRef<c10::IValue> elements) {
  List list;
  for (const c10::IValue& element : elements) list.push_back(FromIValue(element));
  return list;
}

// A named tuple is a record of its fields.
Value TupleOf(const c10::ivalue::Tuple& tuple) {
  const auto& schema = tuple.type()->schema();
  if (schema == nullptr) return ListOf(tuple.elements());
  Record record;
  for (size_t i = 0; i < tuple.elements().size(); ++i) {
    record.emplace_back(schema->arguments()[i].name(), FromIValue(tuple.elements()[i]));
  }
  return record;
}

}  // namespace

c10::IValue ToIValue(const Value& value, const c10::Type& type, const std::string& name) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
      return Need<at::Tensor>(value, type, name);
    case c10::TypeKind::IntType:
      return Need<int64_t>(value, type, name);
    case c10::TypeKind::FloatType:
      return FloatOf(value, type, name);
    case c10::TypeKind::NumberType:
      return NumberOf(value, type, name);
    case c10::TypeKind::BoolType:
      return Need<bool>(value, type, name);
    case c10::TypeKind::StringType:
      return Need<std::string>(value, type, name);
    case c10::TypeKind::NoneType:
      if (!value.IsNull()) Reject(value, type, name);
      return {};
    case c10::TypeKind::OptionalType:
      if (value.IsNull()) return {};
      return ToIValue(value, *type.expectRef<c10::OptionalType>().getElementType(), name);
    case c10::TypeKind::ListType:
      return ListOf(value, type.expectRef<c10::ListType>(), name);
    case c10::TypeKind::DictType:
      return DictOf(value, type.expectRef<c10::DictType>(), name);
    case c10::TypeKind::TupleType:
      return TupleOf(value, type.expectRef<c10::TupleType>(), name);
    default:
      Fail(ErrorKind::kArgument, "Expected inputs of types that JavaScript has for run but ", name, " is ",
           type.annotation_str());
  }
}

Value FromIValue(const c10::IValue& value) {
  if (value.isNone()) return {};
  if (value.isTensor()) return value.toTensor();
  if (value.isBool()) return value.toBool();
  if (value.isInt()) return value.toInt();
  if (value.isDouble()) return value.toDouble();
  if (value.isString()) return value.toStringRef();
  if (value.isDevice()) return value.toDevice().str();
  if (value.isTuple()) return TupleOf(value.toTupleRef());
  if (value.isList()) return ListOf(value.toListRef());
  if (value.isGenericDict()) return RecordOf(value.toGenericDict());
  Fail(ErrorKind::kDType, "Expected outputs of types that JavaScript has from the program but received ",
       value.type()->annotation_str());
}

}  // namespace dyconv
