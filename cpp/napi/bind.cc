#include "napi/bind.h"

#include <cstring>

namespace dyconv {
namespace {

void Collect(const Call& call, bool young) {
  napi_value collector, undefined, argument;
  Check(call.env, napi_get_reference_value(call.env, call.data.collector, &collector),
        "napi_get_reference_value");
  Check(call.env, napi_get_undefined(call.env, &undefined), "napi_get_undefined");
  Check(call.env, napi_get_boolean(call.env, young, &argument), "napi_get_boolean");
  Check(call.env, napi_call_function(call.env, undefined, collector, 1, &argument, nullptr),
        "napi_call_function");
}

// Tensors that JavaScript let go of hold memory until V8 looks: most are young, and a look at those is cheap.
void CollectGarbage(const Call& call) {
  TensorRegistry& tensors = call.data.tensors;
  const int64_t before = tensors.live_bytes();
  if (call.data.collector != nullptr) {
    Collect(call, /*young=*/true);
    if (tensors.live_bytes() > before / 2) Collect(call, /*young=*/false);
  }
  tensors.SetCollectionLimit();
}

napi_value Dispatch(napi_env env, napi_callback_info info) {
  napi_value arguments[kMaxArity];
  size_t count = kMaxArity;  // Node-API fills what the caller left out with undefined
  void* pointer;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &pointer);
  const Op& op = *static_cast<const Op*>(pointer);
  Call call{env, AddonData::Of(env), op.signature, arguments};
  try {
    napi_value result = op.invoke(call);
    if (call.data.tensors.WantsCollection()) CollectGarbage(call);
    call.data.js_home->GiveBack();
    return result;
  } catch (...) {
    ThrowToJs(env, call.data, call.Name());
    return nullptr;
  }
}

}  // namespace

void Register(napi_env env, napi_value exports, const OpTable& table) {
  for (const Op& op : table) {
    const std::string name(op.signature, std::strchr(op.signature, '('));
    napi_value function;
    Check(env,
          napi_create_function(env, name.c_str(), name.size(), Dispatch, const_cast<Op*>(&op), &function),
          "napi_create_function");
    Check(env, napi_set_named_property(env, exports, name.c_str(), function), "napi_set_named_property");
  }
}

}  // namespace dyconv
