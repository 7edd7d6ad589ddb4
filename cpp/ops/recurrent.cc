#include "ops/recurrent.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/gru_cell.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/lstm_cell.h>
#include <ATen/ops/rnn_relu.h>
#include <ATen/ops/rnn_relu_cell.h>
#include <ATen/ops/rnn_tanh.h>
#include <ATen/ops/rnn_tanh_cell.h>
#include <c10/util/Exception.h>

#include <string>

#include "dtype_name.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

// Numbers of the rows of a weight, in units of H.
constexpr int64_t kLstmGates = 4;
constexpr int64_t kGruGates = 3;
constexpr int64_t kRnnGates = 1;

// libtorch warns once that oneDNN has no LSTM with projections, which is irrelevant here.
class Silent : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

void CheckSizes(const Tensor& tensor, at::IntArrayRef sizes, const std::string& name) {
  Require(tensor.sizes() == sizes, ErrorKind::kShape, "Expected shape ", sizes, " for ", name,
          " but received ", tensor.sizes());
}

void CheckKind(const Tensor& tensor, const Tensor& input, const std::string& name) {
  Require(tensor.scalar_type() == input.scalar_type(), ErrorKind::kDType, "Expected dtype ",
          DTypeName(input.scalar_type()), ", that of input, for ", name, " but received ",
          DTypeName(tensor.scalar_type()));
  Require(tensor.device() == input.device(), ErrorKind::kDevice, "Expected device ", input.device(),
          ", that of input, for ", name, " but received ", tensor.device());
}

void CheckInput(const Tensor& input, int64_t dims) {
  Require(input.dim() == dims, ErrorKind::kShape, "Expected ", dims,
          " dimensions for input but received shape ", input.sizes());
  Require(input.is_floating_point(), ErrorKind::kDType,
          "Expected a floating-point dtype for input but received ", DTypeName(input.scalar_type()));
}

// In the dtype of autocast, where it is on, as the cells are in PyTorch.
Tensor Narrowed(const Tensor& tensor) {
  const auto device = tensor.device().type();
  return at::autocast::cached_cast(at::autocast::get_autocast_dtype(device), tensor, device);
}

Tensors Narrowed(const Tensors& tensors) {
  Tensors narrowed;
  for (const Tensor& tensor : tensors) narrowed.push_back(Narrowed(tensor));
  return narrowed;
}

CellWeights Narrowed(const CellWeights& w) {
  const auto optional = [](const std::optional<Tensor>& bias) {
    return bias ? std::optional<Tensor>(Narrowed(*bias)) : std::nullopt;
  };
  return {Narrowed(w.input), Narrowed(w.hidden), optional(w.input_bias), optional(w.hidden_bias)};
}

bool Autocasts(const Tensor& input) { return at::autocast::is_autocast_enabled(input.device().type()); }

// Calls `run` with narrowed arguments and without autocast.
template <class F, class... Args>
auto RunNarrowed(const F& run, const Args&... args) {
  const std::tuple<Args...> narrowed{Narrowed(args)...};
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return std::apply(run, narrowed);
}

// H, and P of an LSTM with projections.
struct Widths {
  int64_t hidden;
  int64_t projected;  // 0 for none
  int64_t output() const { return projected > 0 ? projected : hidden; }
};

void CheckWeights(const Tensor& input, const Tensors& weights, const RecurrentOptions& o, int64_t gates,
                  const Widths& widths) {
  const int64_t directions = o.bidirectional ? 2 : 1;
  const int64_t each = 2 + (o.has_biases ? 2 : 0) + (widths.projected > 0 ? 1 : 0);
  const auto count = static_cast<int64_t>(weights.size());
  Require(count % (directions * each) == 0 && count / (directions * each) == o.num_layers,
          ErrorKind::kArgument, "Expected ", each, " weights for each of the ", directions,
          " directions of each of the ", o.num_layers, " layers but received ", count);
  auto next = weights.begin();
  for (int64_t layer = 0; layer < o.num_layers; ++layer) {
    const int64_t in = layer == 0 ? input.size(-1) : directions * widths.output();
    for (int64_t direction = 0; direction < directions; ++direction) {
      const std::string end = "_l" + std::to_string(layer) + (direction == 1 ? "_reverse" : "");
      const auto check = [&](at::IntArrayRef sizes, const char* name) {
        CheckKind(*next, input, name + end);
        CheckSizes(*next++, sizes, name + end);
      };
      check({gates * widths.hidden, in}, "weight_ih");
      check({gates * widths.hidden, widths.output()}, "weight_hh");
      if (o.has_biases) {
        check({gates * widths.hidden}, "bias_ih");
        check({gates * widths.hidden}, "bias_hh");
      }
      if (widths.projected > 0) check({widths.projected, widths.hidden}, "weight_hr");
    }
  }
}

void CheckSequence(const Tensor& input, const RecurrentOptions& o) {
  CheckInput(input, 3);
  Require(input.size(o.batch_first ? 1 : 0) > 0, ErrorKind::kShape,
          "Expected at least one time step for input but received shape ", input.sizes());
  Require(o.dropout >= 0 && o.dropout <= 1, ErrorKind::kArgument,
          "Expected a number from 0 to 1 for dropout but received ", o.dropout);
}

// The last size of a state [num_layers * directions, B, width].
int64_t StateWidth(const Tensor& state, const Tensor& input, const RecurrentOptions& o, const char* name) {
  CheckKind(state, input, name);
  Require(state.dim() == 3 && state.size(2) > 0, ErrorKind::kShape, "Expected 3 dimensions for ", name,
          " but received shape ", state.sizes());
  const int64_t directions = o.bidirectional ? 2 : 1;
  Require(o.num_layers > 0 && state.size(0) % directions == 0 && state.size(0) / directions == o.num_layers,
          ErrorKind::kShape, "Expected ", o.num_layers, " layers in ", directions, " directions for ", name,
          " but received shape ", state.sizes());
  CheckSizes(state, {state.size(0), input.size(o.batch_first ? 0 : 1), state.size(2)}, name);
  return state.size(2);
}

void CheckCell(const Tensor& input, const Tensor& state, const CellWeights& weights, int64_t gates) {
  CheckInput(input, 2);
  CheckKind(state, input, "hx");
  Require(state.dim() == 2, ErrorKind::kShape, "Expected 2 dimensions for hx but received shape ",
          state.sizes());
  const int64_t hidden = state.size(1);
  CheckSizes(state, {input.size(0), hidden}, "hx");
  const auto check = [&](const Tensor& weight, at::IntArrayRef sizes, const char* name) {
    CheckKind(weight, input, name);
    CheckSizes(weight, sizes, name);
  };
  check(weights.input, {gates * hidden, input.size(1)}, "weight_ih");
  check(weights.hidden, {gates * hidden, hidden}, "weight_hh");
  Require(weights.input_bias.has_value() == weights.hidden_bias.has_value(), ErrorKind::kArgument,
          "Expected both biases or none");
  if (!weights.input_bias) return;
  check(*weights.input_bias, {gates * hidden}, "bias_ih");
  check(*weights.hidden_bias, {gates * hidden}, "bias_hh");
}

// GRUs and RNNs differ in libtorch's function and in their number of gates.
using Sequence = std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, at::TensorList, bool, int64_t,
                                            double, bool, bool, bool);

std::tuple<Tensor, Tensor> RunSequence(Sequence run, const Tensor& input, const Tensor& h0,
                                       const Tensors& weights, const RecurrentOptions& o, int64_t gates) {
  if (Autocasts(input)) {
    return RunNarrowed([&](const auto&... narrowed) { return RunSequence(run, narrowed..., o, gates); },
                       input, h0, weights);
  }
  CheckSequence(input, o);
  CheckWeights(input, weights, o, gates, {StateWidth(h0, input, o, "h0"), 0});
  return run(input, h0, weights, o.has_biases, o.num_layers, o.dropout, o.training, o.bidirectional,
             o.batch_first);
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> Lstm(const Tensor& input, const Tensor& h0, const Tensor& c0,
                                        const Tensors& weights, const RecurrentOptions& o) {
  if (Autocasts(input)) {
    return RunNarrowed([&](const auto&... narrowed) { return Lstm(narrowed..., o); }, input, h0, c0, weights);
  }
  CheckSequence(input, o);
  const int64_t output = StateWidth(h0, input, o, "h0");
  const int64_t hidden = StateWidth(c0, input, o, "c0");
  Require(output <= hidden, ErrorKind::kShape,
          "Expected at most as many values for h0 as for c0 but received ", h0.sizes(), " and ", c0.sizes());
  CheckWeights(input, weights, o, kLstmGates, {hidden, output < hidden ? output : 0});
  Silent silent;
  std::optional<c10::WarningUtils::WarningHandlerGuard> guard;
  if (output < hidden) guard.emplace(&silent);
  return at::lstm(input, {h0, c0}, weights, o.has_biases, o.num_layers, o.dropout, o.training,
                  o.bidirectional, o.batch_first);
}

std::tuple<Tensor, Tensor> Gru(const Tensor& input, const Tensor& h0, const Tensors& weights,
                               const RecurrentOptions& o) {
  return RunSequence(at::gru, input, h0, weights, o, kGruGates);
}

std::tuple<Tensor, Tensor> Rnn(const Tensor& input, const Tensor& h0, const Tensors& weights,
                               const RecurrentOptions& o, RnnActivation activation) {
  return activation == RnnActivation::kTanh ? RunSequence(at::rnn_tanh, input, h0, weights, o, kRnnGates)
                                            : RunSequence(at::rnn_relu, input, h0, weights, o, kRnnGates);
}

std::tuple<Tensor, Tensor> LstmCell(const Tensor& input, const Tensor& h, const Tensor& c,
                                    const CellWeights& weights) {
  if (Autocasts(input)) return RunNarrowed(LstmCell, input, h, c, weights);
  CheckCell(input, h, weights, kLstmGates);
  CheckKind(c, input, "cx");
  CheckSizes(c, h.sizes(), "cx");
  return at::lstm_cell(input, {h, c}, weights.input, weights.hidden, weights.input_bias, weights.hidden_bias);
}

Tensor GruCell(const Tensor& input, const Tensor& h, const CellWeights& weights) {
  if (Autocasts(input)) return RunNarrowed(GruCell, input, h, weights);
  CheckCell(input, h, weights, kGruGates);
  return at::gru_cell(input, h, weights.input, weights.hidden, weights.input_bias, weights.hidden_bias);
}

Tensor RnnCell(const Tensor& input, const Tensor& h, const CellWeights& weights, RnnActivation activation) {
  if (Autocasts(input)) {
    return RunNarrowed([&](const auto&... narrowed) { return RnnCell(narrowed..., activation); }, input, h,
                       weights);
  }
  CheckCell(input, h, weights, kRnnGates);
  const auto run = activation == RnnActivation::kTanh ? at::rnn_tanh_cell : at::rnn_relu_cell;
  return run(input, h, weights.input, weights.hidden, weights.input_bias, weights.hidden_bias);
}

}  // namespace dyconv
