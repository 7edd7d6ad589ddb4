// Properties of tensors; reading and writing their data.
#include <cstring>

#include <ATen/ops/from_blob.h>
#include <ATen/Parallel.h>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "napi/typed_array.h"
#include "ops/serial.h"

namespace dyconv {
namespace {

using at::Tensor;

// Copies the values in row-major order to memory of their size, from any strides and device.
void CopyTo(const Tensor& tensor, void* bytes) {
  if (tensor.numel() == 0) return;
  if (tensor.is_cpu() && tensor.is_contiguous()) {
    std::memcpy(bytes, tensor.const_data_ptr(), tensor.nbytes());
    return;
  }
  at::NoGradGuard no_grad;
  at::from_blob(bytes, tensor.sizes(), at::dtype(tensor.scalar_type())).copy_(tensor);
}

// lib/tensor creates the array: if V8 has no memory for it, that is an error in JavaScript, but it would end
// the process here.
void ReadInto(const Tensor& tensor, const TypedArray& array) {
  CheckTypedArray(array, tensor.sizes(), tensor.scalar_type());
  CopyTo(tensor, array.bytes);
}

// Only the job can access the array until the promise is resolved.
Napi::Value ReadIntoAsync(Call& call, const Tensor& tensor, const TypedArray& array) {
  CheckTypedArray(array, tensor.sizes(), tensor.scalar_type());
  auto pin = std::make_shared<JsValue>(call.data.js_home, call.ValueAt(1));
  return call.data.compute.Run(
      call.env, "data", [tensor, bytes = array.bytes] { CopyTo(tensor, bytes); },
      [pin](Napi::Env) { return pin->Get(); });
}

at::Scalar Item(const Tensor& tensor) {
  if (tensor.numel() != 1) {
    throw TypedError(ErrorKind::kShape, "Expected a Tensor with one element for item() but it has " +
                                            std::to_string(tensor.numel()));
  }
  return tensor.detach().item();
}

Tensor To(const Tensor& tensor, const std::optional<at::Device>& device,
          const std::optional<at::ScalarType>& dtype, bool non_blocking) {
  // Sets libtorch's number of threads up, where this thread has not asked for it before.
  at::get_num_threads();
  const SerialScope scope(tensor.is_cpu() && tensor.numel() <= kSerialElements);
  return tensor.to(OptionsOf(dtype.value_or(tensor.scalar_type()), device.value_or(tensor.device())),
                   non_blocking);
}

// The parameter stays the same object (optimizers and modules hold it) and takes the storage and dtype of
// another tensor.
void SetData(Call& call, TensorHandle* parameter, const Tensor& data) {
  if (!parameter->tensor.defined())
    throw TypedError(ErrorKind::kDisposed,
                     "Expected a live Tensor for input of setData but received one that was disposed");
  parameter->tensor.set_data(data);
  call.data.tensors.Recount(parameter);
}

}  // namespace

const OpTable& TensorOps() {
  static const OpTable table = {
      Bind("shape(input)", [](const Tensor& x) { return x.sizes(); }),
      Bind("strides(input)", [](const Tensor& x) { return x.strides(); }),
      Bind("dtype(input)", [](const Tensor& x) { return x.scalar_type(); }),
      Bind("device(input)", [](const Tensor& x) { return x.device(); }),
      Bind("numel(input)", [](const Tensor& x) { return x.numel(); }),
      Bind("ndim(input)", [](const Tensor& x) { return x.dim(); }),
      Bind("isContiguous(input)", [](const Tensor& x) { return x.is_contiguous(); }),
      Bind("isDisposed(input)", [](TensorHandle* x) { return !x->tensor.defined(); }),
      Bind("dispose(input)", [](Call& call, TensorHandle* x) { call.data.tensors.Dispose(x); }),
      Bind("elements(input)", [](const Tensor& x) { return std::make_tuple(x.scalar_type(), x.numel()); }),
      Bind("readInto(input, array)", ReadInto),
      Bind("readIntoAsync(input, array)", ReadIntoAsync),
      Bind("item(input)", Item),
      Bind("to(input, device, dtype, nonBlocking)", To),
      Bind("clone(input)", [](const Tensor& x) { return x.clone(); }),
      Bind("detach(input)", [](const Tensor& x) { return x.detach(); }),
      Bind("contiguous(input)", [](const Tensor& x) { return x.contiguous(); }),
      Bind("channelsLast(input)",
           [](const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }),
      Bind("setData(input, data)", SetData),
      Bind("copy(input, source)", [](const Tensor& x, const Tensor& source) { return x.copy_(source); }),
      Bind("fill(input, value)", [](const Tensor& x, const at::Scalar& value) { return x.fill_(value); }),
  };
  return table;
}

}  // namespace dyconv
