// Memory shared with JavaScript, with other threads, and with files.
#include <ATen/ops/from_file.h>

#include "bindings/bindings.h"
#include "napi/buffers.h"
#include "napi/shared_tensors.h"
#include "napi/typed_array.h"

namespace dyconv {
namespace {

using at::Tensor;
using IntList = std::vector<int64_t>;

Tensor FromTypedArray(Call& call, const TypedArray& data, const IntList& shape, at::ScalarType dtype) {
  CheckTypedArray(data, shape, dtype);
  if (data.length == 0) return at::empty(shape, at::dtype(dtype));
  return TensorOnBuffer(call.data, data.buffer, data.bytes, shape, dtype);
}

Napi::Value OnTypedArray(Call& call, const Tensor& tensor) {
  return TypedArrayOn(call.env, call.data, tensor.detach().to(at::kCPU).contiguous());
}

int64_t Share(Call& call, const Tensor& tensor, int64_t claims) {
  if (claims < 1) {
    throw TypedError(
        ErrorKind::kArgument,
        "Expected an integer of at least 1 for claims of share but received " + std::to_string(claims));
  }
  if (tensor.requires_grad() && !tensor.is_leaf()) {
    throw TypedError(ErrorKind::kArgument,
                     "Expected a leaf or a Tensor that requires no gradient for input of share but received "
                     "a result: use detach()");
  }
  // A JavaScript buffer is freed with its environment, possibly before the tensor.
  const bool pinned = tensor.has_storage() && BufferOf(tensor.storage().unsafeGetStorageImpl());
  const Tensor shared = pinned ? tensor.detach().clone().set_requires_grad(tensor.requires_grad()) : tensor;
  return SharedTensors::Instance().Put(shared, claims, &call.data);
}

Tensor ClaimShared(int64_t id) {
  std::optional<Tensor> tensor = SharedTensors::Instance().Claim(id);
  if (!tensor.has_value()) {
    throw TypedError(
        ErrorKind::kDisposed,
        "Expected a handle that can be claimed for handle of fromHandle but received one that was "
        "claimed or released");
  }
  return *tensor;
}

// A private mapping: writes to the tensor do not change the file.
Tensor MapFile(const std::string& path, int64_t bytes) {
  if (bytes < 1) throw TypedError(ErrorKind::kArgument, "Expected at least 1 byte for bytes of mapFile");
  return at::from_file(path, /*shared=*/false, bytes, at::dtype(at::kByte));
}

}  // namespace

const OpTable& ExchangeOps() {
  static const OpTable table = {
      Bind("fromTypedArray(data, shape, dtype)", FromTypedArray),
      Bind("onTypedArray(input)", OnTypedArray),
      Bind("mapFile(path, bytes)", MapFile),
      Bind("viewDType(input, dtype)", [](const Tensor& x, at::ScalarType dtype) { return x.view(dtype); }),

      Bind("share(input, claims)", Share),
      Bind("claimShared(id)", ClaimShared),
      Bind("releaseShared(id)", [](int64_t id) { return SharedTensors::Instance().Release(id); }),
      Bind("sharedStats()",
           [] {
             const SharedTensors::Stats stats = SharedTensors::Instance().GetStats();
             return std::make_tuple(stats.handles, stats.bytes);
           }),
      Bind("processKey()", [] { return SharedTensors::Instance().process_key(); }),
  };
  return table;
}

}  // namespace dyconv
