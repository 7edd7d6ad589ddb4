// The code that every operation runs: the entry from JavaScript, the wrapping of tensors, and the conversion
// of scalars (declared in convert.h). One of three files that call Node-API directly: docs/bindings.md.
#pragma once

#include <napi.h>

#include <ATen/core/Tensor.h>

namespace dyconv {

struct AddonData;
struct Op;
struct TensorHandle;

// A JavaScript function named `name` that runs `op`, which must outlive the process.
Napi::Function NewFunction(Napi::Env env, const std::string& name, const Op& op);

// A new JavaScript object for `tensor`, null for an undefined tensor. `made`, if given, receives its handle.
Napi::Value WrapTensor(Napi::Env env, AddonData& data, const at::Tensor& tensor,
                       TensorHandle** made = nullptr);

// The handle of a JavaScript value; null if the value is not a tensor of this environment, and for every
// value on a thread that is being terminated.
TensorHandle* FindHandle(const AddonData& data, Napi::Value value);

}  // namespace dyconv
