// What every operation runs: the entry from JavaScript, the wrapping of tensors, and (by way of convert.h)
// the conversion of scalars. One of three files that call Node-API directly; docs/architecture.md has the
// figures.
#pragma once

#include <napi.h>

#include <ATen/core/Tensor.h>

namespace dyconv {

struct AddonData;
struct Op;
struct TensorHandle;

// A JavaScript function named `name` that runs `op`, which must outlive the process.
Napi::Function NewFunction(Napi::Env env, const std::string& name, const Op& op);

// A new JavaScript object for `tensor`, whose handle goes to `made`; null for an undefined tensor.
Napi::Value WrapTensor(Napi::Env env, AddonData& data, const at::Tensor& tensor,
                       TensorHandle** made = nullptr);

// The handle behind a JavaScript value, or null when the value is not a tensor of this environment. Null for
// every value on a thread that is being terminated.
TensorHandle* FindHandle(const AddonData& data, Napi::Value value);

}  // namespace dyconv
