// Creation, properties, data in and out, autograd.
#include <cstring>

#include <ATen/ops/from_blob.h>
#include <torch/csrc/autograd/autograd.h>

#include "bindings/bindings.h"
#include "napi/typed_array.h"

namespace dyconv {
namespace {

using at::Tensor;
using IntList = std::vector<int64_t>;

at::TensorOptions Options(at::ScalarType dtype, at::Device device) { return at::device(device).dtype(dtype); }

// A copy of the array as a tensor. `dtype` says how to read the array's bytes; widths have to agree.
Tensor FromData(const TypedArray& data, const IntList& shape, at::ScalarType dtype, at::Device device) {
  CheckTypedArray(data, shape, dtype);
  Tensor tensor = at::empty(shape, Options(dtype, at::kCPU));
  if (tensor.numel() > 0) std::memcpy(tensor.data_ptr(), data.bytes, tensor.nbytes());
  return device.is_cpu() ? tensor : tensor.to(device);
}

// Row-major values, whatever the strides and the device, into memory of their size: one copy.
void CopyTo(const Tensor& tensor, void* bytes) {
  if (tensor.numel() == 0) return;
  if (tensor.is_cpu() && tensor.is_contiguous()) {
    std::memcpy(bytes, tensor.const_data_ptr(), tensor.nbytes());
    return;
  }
  at::NoGradGuard no_grad;
  at::from_blob(bytes, tensor.sizes(), at::dtype(tensor.scalar_type())).copy_(tensor);
}

// lib/tensor makes the array: where V8 has no memory for it, or none so long, that is an error there and the
// end of the process here.
void ReadInto(const Tensor& tensor, const TypedArray& array) {
  CheckTypedArray(array, tensor.sizes(), tensor.scalar_type());
  CopyTo(tensor, array.bytes);
}

// Nobody but the job knows the array before the promise is settled.
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
  return tensor.to(Options(dtype.value_or(tensor.scalar_type()), device.value_or(tensor.device())),
                   non_blocking);
}

// The parameter keeps its identity (optimizers and modules hold it) and takes over another tensor's storage
// and dtype.
void SetData(Call& call, TensorHandle* parameter, const Tensor& data) {
  if (!parameter->tensor.defined())
    throw TypedError(ErrorKind::kDisposed,
                     "Expected a live Tensor for input of setData but received one that was disposed");
  parameter->tensor.set_data(data);
  call.data.tensors.Recount(parameter);
}

void SetRequiresGrad(const Tensor& tensor, bool value) {
  if (value && !at::isFloatingType(tensor.scalar_type())) {
    throw TypedError(ErrorKind::kDType,
                     std::string("Expected a floating-point Tensor for requiresGrad but received ") +
                         DTypeName(tensor.scalar_type()));
  }
  tensor.set_requires_grad(value);
}

void Backward(const Tensor& tensor, const std::optional<Tensor>& gradient, bool retain_graph,
              bool create_graph) {
  tensor.backward(gradient.value_or(Tensor()), retain_graph, create_graph);
}

std::vector<Tensor> Grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<std::optional<Tensor>>& gradients, bool retain_graph,
                         bool create_graph, bool allow_unused) {
  std::vector<Tensor> seeds;
  for (const auto& gradient : gradients) seeds.push_back(gradient.value_or(Tensor()));
  return torch::autograd::grad(outputs, inputs, seeds, retain_graph, create_graph, allow_unused);
}

}  // namespace

const OpTable& TensorOps() {
  static const OpTable table = {
      Bind("fromData(data, shape, dtype, device)", FromData),
      Bind("empty(shape, dtype, device)", [](const IntList& shape, at::ScalarType t,
                                             at::Device d) { return at::empty(shape, Options(t, d)); }),
      Bind("full(shape, value, dtype, device)",
           [](const IntList& shape, const at::Scalar& value, at::ScalarType t, at::Device d) {
             return at::full(shape, value, Options(t, d));
           }),
      Bind("rand(shape, dtype, device)", [](const IntList& shape, at::ScalarType t,
                                            at::Device d) { return at::rand(shape, Options(t, d)); }),
      Bind("randn(shape, dtype, device)", [](const IntList& shape, at::ScalarType t,
                                             at::Device d) { return at::randn(shape, Options(t, d)); }),
      Bind("randint(low, high, shape, dtype, device)",
           [](int64_t low, int64_t high, const IntList& shape, at::ScalarType t, at::Device d) {
             return at::randint(low, high, shape, Options(t, d));
           }),
      Bind("randperm(n, dtype, device)",
           [](int64_t n, at::ScalarType t, at::Device d) { return at::randperm(n, Options(t, d)); }),
      Bind("arange(start, end, step, dtype, device)",
           [](const at::Scalar& start, const at::Scalar& end, const at::Scalar& step, at::ScalarType t,
              at::Device d) { return at::arange(start, end, step, Options(t, d)); }),
      Bind("linspace(start, end, steps, dtype, device)",
           [](const at::Scalar& start, const at::Scalar& end, int64_t steps, at::ScalarType t, at::Device d) {
             return at::linspace(start, end, steps, Options(t, d));
           }),
      Bind("logspace(start, end, steps, base, dtype, device)",
           [](const at::Scalar& start, const at::Scalar& end, int64_t steps, double base, at::ScalarType t,
              at::Device d) { return at::logspace(start, end, steps, base, Options(t, d)); }),
      Bind("eye(n, m, dtype, device)",
           [](int64_t n, int64_t m, at::ScalarType t, at::Device d) { return at::eye(n, m, Options(t, d)); }),

      Bind("shape(input)", [](const Tensor& x) { return x.sizes(); }),
      Bind("strides(input)", [](const Tensor& x) { return x.strides(); }),
      Bind("dtype(input)", [](const Tensor& x) { return x.scalar_type(); }),
      Bind("device(input)", [](const Tensor& x) { return x.device(); }),
      Bind("numel(input)", [](const Tensor& x) { return x.numel(); }),
      Bind("ndim(input)", [](const Tensor& x) { return x.dim(); }),
      Bind("isContiguous(input)", [](const Tensor& x) { return x.is_contiguous(); }),
      Bind("isLeaf(input)", [](const Tensor& x) { return x.is_leaf(); }),
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

      Bind("requiresGrad(input)", [](const Tensor& x) { return x.requires_grad(); }),
      Bind("setRequiresGrad(input, value)", SetRequiresGrad),
      Bind("grad(input)", [](const Tensor& x) { return x.grad(); }),
      Bind("setGrad(input, value)",
           [](const Tensor& x, const std::optional<Tensor>& value) {
             x.mutable_grad() = value.value_or(Tensor());
           }),
      Bind("setData(input, data)", SetData),
      Bind("backward(input, gradient, retainGraph, createGraph)", Backward),
      Bind("gradOf(outputs, inputs, gradOutputs, retainGraph, createGraph, allowUnused)", Grad),

      Bind("copy(input, source)", [](const Tensor& x, const Tensor& source) { return x.copy_(source); }),
      Bind("fill(input, value)", [](const Tensor& x, const at::Scalar& value) { return x.fill_(value); }),
      Bind("uniform(input, from, to)",
           [](const Tensor& x, double low, double high) { return x.uniform_(low, high); }),
      Bind("normal(input, mean, std)",
           [](const Tensor& x, double mean, double std) { return x.normal_(mean, std); }),
  };
  return table;
}

}  // namespace dyconv
