// Collectives and messages of process groups. A call begins on the calling thread, in the order of the calls,
// and is waited for on a lane.
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/distributed.h"

namespace dyconv {

template <>
inline constexpr auto kNames<c10d::ReduceOp::RedOpType> =
    std::to_array<Named<c10d::ReduceOp::RedOpType>>({{"sum", c10d::ReduceOp::SUM},
                                                     {"avg", c10d::ReduceOp::AVG},
                                                     {"product", c10d::ReduceOp::PRODUCT},
                                                     {"min", c10d::ReduceOp::MIN},
                                                     {"max", c10d::ReduceOp::MAX},
                                                     {"band", c10d::ReduceOp::BAND},
                                                     {"bor", c10d::ReduceOp::BOR},
                                                     {"bxor", c10d::ReduceOp::BXOR}});

namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;
using ReduceKind = c10d::ReduceOp::RedOpType;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

// ---- Arguments
// -----------------------------------------------------------------------------------------------------

bool HasType(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
    case at::kDouble:
    case at::kHalf:
    case at::kBFloat16:
    case at::kChar:
    case at::kByte:
    case at::kInt:
    case at::kLong:
      return true;
    default:
      return false;
  }
}

// What gloo can send; otherwise it would fail on one of its threads, or end the process.
void CheckTensor(const Tensor& tensor, const char* name) {
  Require(tensor.device().is_cpu(), ErrorKind::kDevice, "Expected a Tensor on cpu for ", name,
          ", which the backend gloo sends, but received one on ", tensor.device().str());
  Require(HasType(tensor.scalar_type()), ErrorKind::kDType,
          "Expected a Tensor of float32, float64, float16, bfloat16, int64, int32, int8 or uint8 for ", name,
          " but received ", DTypeName(tensor.scalar_type()));
  Require(tensor.is_contiguous(), ErrorKind::kArgument, "Expected a contiguous Tensor for ", name,
          " but received one with other strides");
}

void CheckReduction(const Tensor& tensor, ReduceKind op) {
  const bool floating = at::isFloatingType(tensor.scalar_type());
  const bool bits = op == c10d::ReduceOp::BAND || op == c10d::ReduceOp::BOR || op == c10d::ReduceOp::BXOR;
  Require(!(floating && bits), ErrorKind::kDType,
          "Expected a Tensor of integers for op 'band', 'bor' or 'bxor' but received ",
          DTypeName(tensor.scalar_type()));
  Require(floating || op != c10d::ReduceOp::AVG, ErrorKind::kDType,
          "Expected a floating-point Tensor for op 'avg' but received ", DTypeName(tensor.scalar_type()));
}

// One tensor of the same shape and dtype for every process.
void CheckParts(const Tensors& parts, const Group& group, const char* name) {
  Require(static_cast<int>(parts.size()) == group.size(), ErrorKind::kArgument, "Expected ", group.size(),
          " Tensors for ", name, ", one for each process of the group, but received ", parts.size());
  for (const Tensor& part : parts) {
    CheckTensor(part, name);
    Require(part.sizes() == parts[0].sizes() && part.scalar_type() == parts[0].scalar_type(),
            ErrorKind::kShape, "Expected Tensors of one shape and dtype for ", name);
  }
}

Tensors EmptyParts(const Tensor& like, int count) {
  Tensors parts;
  for (int i = 0; i < count; ++i) parts.push_back(at::empty_like(like));
  return parts;
}

// ---- Collectives
// ---------------------------------------------------------------------------------------------------

// gloo has no mean: the sum is divided when it is there.
ReduceKind SentAs(ReduceKind op) { return op == c10d::ReduceOp::AVG ? c10d::ReduceOp::SUM : op; }

// Autograd notices that a saved tensor has changed.
void MarkChanged(const Tensor& tensor) {
  if (!tensor.is_inference()) tensor.unsafeGetTensorImpl()->bump_version();
}

void Divide(const Tensor& tensor, ReduceKind op, int size) {
  if (op != c10d::ReduceOp::AVG) return;
  at::NoGradGuard no_grad;
  tensor.div_(size);
}

// Waits for a collective; then `finish`, on the JavaScript thread, makes its result.
template <class Finish>
Napi::Value Await(Call& call, const WorkPtr& work, Finish finish) {
  return OnLane(
      call, [work](WaitLane& lane) { lane.WaitForCollective(work); }, std::move(finish));
}

Napi::Value AllReduce(Call& call, const SharedGroup& held, const Tensor& input, ReduceKind op) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  CheckReduction(input, op);
  Tensors tensors{input};
  return Await(call, group.backend().allreduce(tensors, {.reduceOp = SentAs(op)}),
               [input, op, size = group.size()](Napi::Env env) {
                 Divide(input, op, size);
                 MarkChanged(input);
                 return Nothing(env);
               });
}

// Blocks the calling thread: for the backward passes of layers.
void AllReduceSync(const SharedGroup& held, const Tensor& input, ReduceKind op) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  CheckReduction(input, op);
  Tensors tensors{input};
  group.backend().allreduce(tensors, {.reduceOp = SentAs(op)})->wait();
  Divide(input, op, group.size());
  MarkChanged(input);
}

Napi::Value ReduceTo(Call& call, const SharedGroup& held, const Tensor& input, int64_t dst, ReduceKind op) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  CheckReduction(input, op);
  Tensors tensors{input};
  const int root = group.RankInGroup(dst, "dst");
  const bool mine = group.backend().getRank() == root;
  return Await(call, group.backend().reduce(tensors, {.reduceOp = SentAs(op), .rootRank = root}),
               [input, op, mine, size = group.size()](Napi::Env env) {
                 if (mine) Divide(input, op, size);
                 MarkChanged(input);
                 return Nothing(env);
               });
}

Napi::Value BroadcastFrom(Call& call, const SharedGroup& held, const Tensor& input, int64_t src) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  Tensors tensors{input};
  return Await(call, group.backend().broadcast(tensors, {.rootRank = group.RankInGroup(src, "src")}),
               [input](Napi::Env env) {
                 MarkChanged(input);
                 return Nothing(env);
               });
}

Napi::Value AllGather(Call& call, const SharedGroup& held, const Tensor& input) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  std::vector<Tensors> outputs{EmptyParts(input, group.size())};
  Tensors inputs{input.detach()};
  const WorkPtr work = group.backend().allgather(outputs, inputs, {});
  return Await(call, work, ToResult(call, std::move(outputs[0])));
}

// Null on processes other than `dst`.
Napi::Value GatherTo(Call& call, const SharedGroup& held, const Tensor& input, int64_t dst) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  const int root = group.RankInGroup(dst, "dst");
  Tensors inputs{input.detach()};
  std::vector<Tensors> outputs;
  const bool mine = group.backend().getRank() == root;
  if (mine) outputs.push_back(EmptyParts(input, group.size()));
  const WorkPtr work = group.backend().gather(outputs, inputs, {.rootRank = root});
  if (mine) return Await(call, work, ToResult(call, std::move(outputs[0])));
  return Await(call, work, [](Napi::Env env) -> Napi::Value { return env.Null(); });
}

// `parts`: of the process `src`; null elsewhere.
Napi::Value ScatterFrom(Call& call, const SharedGroup& held, const Tensor& output,
                        const std::optional<Tensors>& parts, int64_t src) {
  const Group& group = *held->group;
  CheckTensor(output, "output");
  const int root = group.RankInGroup(src, "src");
  const bool mine = group.backend().getRank() == root;
  Require(mine == parts.has_value(), ErrorKind::kArgument, "Expected the Tensors on the process of src, ",
          src, ", and on no other, for inputs");
  std::vector<Tensors> inputs;
  if (mine) {
    CheckParts(*parts, group, "inputs");
    Require((*parts)[0].sizes() == output.sizes() && (*parts)[0].scalar_type() == output.scalar_type(),
            ErrorKind::kShape, "Expected Tensors of the shape and dtype of output for inputs");
    inputs.push_back(*parts);
  }
  Tensors outputs{output};
  return Await(call, group.backend().scatter(outputs, inputs, {.rootRank = root}), [output](Napi::Env env) {
    MarkChanged(output);
    return Nothing(env);
  });
}

Napi::Value ReduceScatter(Call& call, const SharedGroup& held, const Tensors& parts, ReduceKind op) {
  const Group& group = *held->group;
  CheckParts(parts, group, "inputs");
  CheckReduction(parts[0], op);
  Tensors outputs{at::empty_like(parts[0]).detach()};
  std::vector<Tensors> inputs{parts};
  const WorkPtr work = group.backend().reduce_scatter(outputs, inputs, {.reduceOp = SentAs(op)});
  const auto result = ToResult(call, outputs[0]);
  return Await(call, work, [output = outputs[0], op, size = group.size(), result](Napi::Env env) {
    Divide(output, op, size);
    return result(env);
  });
}

Napi::Value AllToAll(Call& call, const SharedGroup& held, const Tensor& input) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  Require(input.dim() > 0 && input.size(0) % group.size() == 0, ErrorKind::kShape,
          "Expected a Tensor whose first size is a multiple of the world size, ", group.size(),
          ", for input but received ", input.sizes());
  Tensor output = at::empty_like(input), sent = input.detach();
  std::vector<int64_t> counts;  // empty: equal parts
  const WorkPtr work = group.backend().alltoall_base(output, sent, counts, counts, {});
  return Await(call, work, ToResult(call, output));
}

Napi::Value Barrier(Call& call, const SharedGroup& held) {
  return Await(call, held->group->backend().barrier({}), Nothing);
}

// ---- Messages
// ------------------------------------------------------------------------------------------------------

// Waits for a send or receive.
template <class Finish>
Napi::Value AwaitMessage(Call& call, const SharedGroup& held, const WorkPtr& work, const char* name,
                         Finish finish) {
  return OnLane(
      call,
      [work, name, group = held->group](WaitLane& lane) {
        try {
          lane.WaitForMessage(work);
        } catch (const std::exception&) {
          group->Rethrow(name);
        }
      },
      std::move(finish));
}

Napi::Value Send(Call& call, const SharedGroup& held, const Tensor& input, int64_t dst, int64_t tag) {
  const Group& group = *held->group;
  CheckTensor(input, "input");
  const int to = group.RankInGroup(dst, "dst");
  Require(to != group.backend().getRank(), ErrorKind::kArgument,
          "Expected the rank of another process for dst but received ", dst);
  Tensors tensors{input};
  return AwaitMessage(call, held, group.backend().send(tensors, to, static_cast<int>(tag)), "send", Nothing);
}

// `src` null: from any process. Resolves to the rank that it came from.
Napi::Value Receive(Call& call, const SharedGroup& held, const Tensor& output,
                    const std::optional<int64_t>& src, int64_t tag) {
  const Group& group = *held->group;
  CheckTensor(output, "output");
  Tensors tensors{output};
  WorkPtr work;
  if (src) {
    const int from = group.RankInGroup(*src, "src");
    Require(from != group.backend().getRank(), ErrorKind::kArgument,
            "Expected the rank of another process for src but received ", *src);
    work = group.backend().recv(tensors, from, static_cast<int>(tag));
  } else {
    work = group.backend().recvAnysource(tensors, static_cast<int>(tag));
  }
  return AwaitMessage(call, held, work, "recv", [work, src, output, group = held->group](Napi::Env env) {
    MarkChanged(output);
    const int64_t from = src ? *src : group->RankInWorld(work->sourceRank());
    return Napi::Number::New(env, static_cast<double>(from));
  });
}

// ---- Diagnosis
// -----------------------------------------------------------------------------------------------------

using CallRow = std::tuple<int64_t, std::string, std::string, int64_t, double, double, double, bool>;

std::vector<CallRow> RecentCalls(const SharedGroup& held) {
  std::vector<CallRow> rows;
  for (const LoggedCall& call : held->group->Calls())
    rows.emplace_back(call.number, call.operation, call.dtype, call.elements, call.made_ms, call.begun_ms,
                      call.ended_ms, call.failed);
  return rows;
}

}  // namespace

const OpTable& CollectiveOps() {
  static const OpTable table = {
      Bind("collectiveAllReduce(group, input, op)", AllReduce),
      Bind("collectiveAllReduceSync(group, input, op)", AllReduceSync),
      Bind("collectiveReduce(group, input, dst, op)", ReduceTo),
      Bind("collectiveBroadcast(group, input, src)", BroadcastFrom),
      Bind("collectiveAllGather(group, input)", AllGather),
      Bind("collectiveGather(group, input, dst)", GatherTo),
      Bind("collectiveScatter(group, output, inputs, src)", ScatterFrom),
      Bind("collectiveReduceScatter(group, inputs, op)", ReduceScatter),
      Bind("collectiveAllToAll(group, input)", AllToAll),
      Bind("collectiveBarrier(group)", Barrier),
      Bind("collectiveSend(group, input, dst, tag)", Send),
      Bind("collectiveRecv(group, output, src, tag)", Receive),
      Bind("collectiveRecentCalls(group)", RecentCalls),
  };
  return table;
}

}  // namespace dyconv
