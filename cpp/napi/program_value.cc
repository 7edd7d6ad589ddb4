#include "napi/program_value.h"

#include "napi/hot_path.h"

namespace dyconv {
namespace {

constexpr int kMaxDepth = 32;

Value ValueOf(const Argument& argument, int depth);

Value RecordOf(const Argument& argument, int depth) {
  const auto object = argument.js.As<Napi::Object>();
  if (object.IsTypedArray() || object.IsArrayBuffer() || object.IsDataView() || object.IsDate() ||
      object.IsPromise()) {
    argument.Reject("a Tensor, a number, a boolean, a string, null, or an array or plain object of these");
  }
  Record record;
  const Napi::Array keys = object.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const Napi::Value key = keys.Get(i);
    record.emplace_back(key.ToString().Utf8Value(),
                        ValueOf({argument.call, object.Get(key), argument.index}, depth + 1));
  }
  return record;
}

Value NumberOf(const Argument& argument) {
  const at::Scalar number = FromJs<at::Scalar>::Get(argument);
  if (number.isBoolean()) return number.to<bool>();
  if (number.isIntegral(false)) return number.to<int64_t>();
  return number.to<double>();
}

Value ValueOf(const Argument& argument, int depth) {
  if (depth > kMaxDepth) argument.Reject("arrays and objects nested at most " + std::to_string(kMaxDepth));
  if (argument.IsNullish()) return {};
  if (FindHandle(argument.call.data, argument.js) != nullptr) return FromJs<at::Tensor>::Get(argument);
  if (argument.js.IsString()) return FromJs<std::string>::Get(argument);
  if (argument.js.IsArray()) {
    List list;
    const uint32_t length = ArrayLength(argument);
    for (uint32_t i = 0; i < length; ++i) list.push_back(ValueOf(ArrayElement(argument, i), depth + 1));
    return list;
  }
  if (argument.js.Type() == napi_object) return RecordOf(argument, depth);
  return NumberOf(argument);
}

}  // namespace

Value FromJs<Value>::Get(const Argument& argument) { return ValueOf(argument, 0); }

Napi::Value ToJs(const Call& call, const Value& value) {
  return value.Visit([&](const auto& held) -> Napi::Value {
    using T = std::decay_t<decltype(held)>;
    if constexpr (std::is_same_v<T, List>) {
      Napi::Array array = Napi::Array::New(call.env, held.size());
      for (uint32_t i = 0; i < held.size(); ++i) array.Set(i, ToJs(call, held[i]));
      return array;
    } else if constexpr (std::is_same_v<T, Record>) {
      Napi::Object object = Napi::Object::New(call.env);
      for (const auto& [key, element] : held) {
        // Defined, not set: a key may be named __proto__.
        object.DefineProperty(Napi::PropertyDescriptor::Value(Napi::String::New(call.env, key),
                                                              ToJs(call, element), napi_default_jsproperty));
      }
      return object;
    } else if constexpr (requires { ToJs(call, held); }) {
      return ToJs(call, held);
    } else {
      return call.env.Null();  // null, and what only the steps of a program hold
    }
  });
}

}  // namespace dyconv
