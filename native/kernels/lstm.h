// Recurrent layers, one direction of one layer at a time: what the kernels are told.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lstm_native {

struct LstmShape {
  int B, T, I, H, P;
  bool layer_norm;
  bool peepholes;
  int R() const { return P > 0 ? P : H; }
};

// What weights are packed for. A backward pass that has dx reads those of backward_to_input.
enum class LstmPass { forward, backward, backward_to_input };

// One layer and direction. The gradients of a backward call have the same shape and may each be null.
template <typename Float>
struct LstmWeights {
  Float* weight_ih;
  Float* weight_hh;
  Float* bias_ih;
  Float* bias_hh;
  Float* weight_hr;
  Float* peephole;
  Float* norm_ih;
  Float* norm_hh;
  Float* norm_cell;
};

// Functions that an LSTM's gates, candidate and output may have; lib/kernels/contract-lstm.ts has their
// formulas.
enum class Activation {
  linear,
  sigmoid,
  tanh,
  relu,
  softplus,
  gelu,
  exponential,
  softsign,
  silu,
  mish,
  selu,
  elu,
  affine,
  leaky_relu,
  thresholded_relu,
  scaled_tanh,
  hard_sigmoid
};
constexpr int kActivations = static_cast<int>(Activation::hard_sigmoid) + 1;

struct LstmActivation {
  Activation kind;
  float alpha, beta;
};

// What differs from the standard cell.
struct LstmVariant {
  LstmActivation gate, cell, output;
  float clip;    // bound of the sums of the gates, infinity for none
  bool coupled;  // f = 1 - i
};

// Zoneout's mask: an array, or one number for every element, or (the number 0) none.
struct Zoneout {
  const float* mask;
  float value;
  bool any() const { return mask != nullptr || value != 0; }
};

struct LstmArgs : LstmShape {
  bool reverse;
  bool varied;                  // whether the cell is not the standard one
  LstmVariant variant;          // only then
  const std::int32_t* lengths;  // null: every sequence has T steps
  // Inference: sequence b begins at row offsets[b] of x and y, whose rows are time strides apart, and no
  // room is left behind it; null: at row b of batch strides.
  const std::int32_t* offsets;
  LstmWeights<const float> weights;
  const float* packed;  // what lstm_pack made for this pass, read in place of the matrices; or null
  const float* x;
  std::ptrdiff_t x_batch_stride, x_time_stride;
  const float* h0;              // null: zeros
  const float* c0;              // null: zeros
  std::ptrdiff_t h_stride;      // from sequence to sequence in h0 and hn, at least R
  std::ptrdiff_t c_stride;      // likewise in c0 and cn, at least H
  const float* recurrent_mask;  // [B, R] or null
  Zoneout zoneout_cell, zoneout_hidden;
  float eps;
  float* y;
  std::ptrdiff_t y_batch_stride, y_time_stride;
  float* hn;
  float* cn;
  float* cache;  // null: inference
  // Backward only; the gradients out may be null.
  const float* dy;
  const float* dhn;
  const float* dcn;
  float* dx;
  float* dh0;
  float* dc0;
  LstmWeights<float> dweights;
};

// One layer and direction of an Elman network; lib/kernels/contract-rnn.ts has the equations.
struct RnnArgs {
  int B, T, H;
  bool relu;  // else tanh
  bool reverse;
  const std::int32_t* lengths;  // null: every sequence has T steps
  const float* weight_hh;
  const float* bias_hh;  // may be null
  const float* h0;       // null: zeros
  float* y;
  std::ptrdiff_t y_batch_stride, y_time_stride;
  // Forward only.
  const float* a;
  float* hn;
  // Backward only; any of them may be null.
  const float* dy;
  const float* dhn;
  float* da;
  float* dh0;
  float* dweight_hh;
  float* dbias_hh;
};

}  // namespace lstm_native
