// Recurrent layers and cells.
#include "ops/recurrent.h"
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {

template <>
inline constexpr auto kNames<RnnActivation> =
    std::to_array<Named<RnnActivation>>({{"tanh", RnnActivation::kTanh}, {"relu", RnnActivation::kRelu}});

const OpTable& RecurrentOps() {
  using at::Tensor;
  using Weights = std::vector<Tensor>;
  static const OpTable table = {
      Bind("lstm(input, h0, c0, weights, hasBiases, numLayers, dropout, training, bidirectional, batchFirst)",
           [](const Tensor& x, const Tensor& h, const Tensor& c, const Weights& weights, bool biases,
              int64_t layers, double dropout, bool training, bool bidirectional, bool batch_first) {
             return Lstm(x, h, c, weights, {biases, layers, dropout, training, bidirectional, batch_first});
           }),
      Bind("gru(input, h0, weights, hasBiases, numLayers, dropout, training, bidirectional, batchFirst)",
           [](const Tensor& x, const Tensor& h, const Weights& weights, bool biases, int64_t layers,
              double dropout, bool training, bool bidirectional, bool batch_first) {
             return Gru(x, h, weights, {biases, layers, dropout, training, bidirectional, batch_first});
           }),
      Bind("rnn(input, h0, weights, hasBiases, numLayers, dropout, training, bidirectional, batchFirst, "
           "nonlinearity)",
           [](const Tensor& x, const Tensor& h, const Weights& weights, bool biases, int64_t layers,
              double dropout, bool training, bool bidirectional, bool batch_first, RnnActivation activation) {
             return Rnn(x, h, weights, {biases, layers, dropout, training, bidirectional, batch_first},
                        activation);
           }),
      Bind("lstmCell(input, hx, cx, weightIh, weightHh, biasIh, biasHh)",
           [](const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih, const Tensor& w_hh,
              const OptionalTensor& b_ih, const OptionalTensor& b_hh) {
             return LstmCell(x, h, c, {w_ih, w_hh, b_ih, b_hh});
           }),
      Bind("gruCell(input, hx, weightIh, weightHh, biasIh, biasHh)",
           [](const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
              const OptionalTensor& b_ih, const OptionalTensor& b_hh) {
             return GruCell(x, h, {w_ih, w_hh, b_ih, b_hh});
           }),
      Bind("rnnCell(input, hx, weightIh, weightHh, biasIh, biasHh, nonlinearity)",
           [](const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
              const OptionalTensor& b_ih, const OptionalTensor& b_hh, RnnActivation activation) {
             return RnnCell(x, h, {w_ih, w_hh, b_ih, b_hh}, activation);
           }),
  };
  return table;
}

}  // namespace dyconv
