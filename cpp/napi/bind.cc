#include "napi/bind.h"

#include <cstring>

#include "napi/collect.h"

namespace dyconv {
namespace {

napi_value Dispatch(napi_env env, napi_callback_info info) {
  napi_value arguments[kMaxArity];
  size_t count = kMaxArity;  // Node-API fills what the caller left out with undefined
  void* pointer;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &pointer);
  const Op& op = *static_cast<const Op*>(pointer);
  Call call{env, AddonData::Of(env), op.signature, arguments};
  try {
    const CallScope scope(env, call.data);
    napi_value result = op.invoke(call);
    if (call.data.tensors.WantsCollection()) CollectAfterGrowth(env, call.data);
    call.data.js_home->GiveBack();
    return result;
  } catch (...) {
    ThrowToJs(env, call.data, call.Name(), [&call] { return DescribeArguments(call); });
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
