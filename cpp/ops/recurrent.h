// Recurrent layers and their cells, by libtorch. All sizes, dtypes and devices are checked first: the kernels
// of oneDNN, which libtorch uses for LSTMs in float32 and bfloat16, rely on them. ATen level: no Node-API, no
// JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>
#include <vector>

namespace dyconv {

struct RecurrentOptions {
  bool has_biases;
  int64_t num_layers;
  double dropout;  // between the layers, while training
  bool training;
  bool bidirectional;
  bool batch_first;
};

enum class RnnActivation { kTanh, kRelu };

// input [L, B, I], or [B, L, I] with batch_first; states [num_layers * directions, B, H].
// `weights`: for every layer and direction weight_ih [gates * H, I], weight_hh [gates * H, H], bias_ih and
// bias_hh [gates * H] with biases, and weight_hr [P, H] of an LSTM whose h0 has P < H values.
// -> output [L, B, directions * H], or [B, L, directions * H], and the last states.
std::tuple<at::Tensor, at::Tensor, at::Tensor> Lstm(const at::Tensor& input, const at::Tensor& h0,
                                                    const at::Tensor& c0,
                                                    const std::vector<at::Tensor>& weights,
                                                    const RecurrentOptions& options);
std::tuple<at::Tensor, at::Tensor> Gru(const at::Tensor& input, const at::Tensor& h0,
                                       const std::vector<at::Tensor>& weights,
                                       const RecurrentOptions& options);
std::tuple<at::Tensor, at::Tensor> Rnn(const at::Tensor& input, const at::Tensor& h0,
                                       const std::vector<at::Tensor>& weights,
                                       const RecurrentOptions& options, RnnActivation activation);

// The parameters of a cell: [gates * H, I], [gates * H, H], and [gates * H] twice or not at all.
struct CellWeights {
  at::Tensor input, hidden;
  std::optional<at::Tensor> input_bias, hidden_bias;
};

// One step: input [B, I], states [B, H] -> the next states.
std::tuple<at::Tensor, at::Tensor> LstmCell(const at::Tensor& input, const at::Tensor& h, const at::Tensor& c,
                                            const CellWeights& weights);
at::Tensor GruCell(const at::Tensor& input, const at::Tensor& h, const CellWeights& weights);
at::Tensor RnnCell(const at::Tensor& input, const at::Tensor& h, const CellWeights& weights,
                   RnnActivation activation);

}  // namespace dyconv
