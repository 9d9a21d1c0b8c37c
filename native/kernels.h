// The kernels every target fulfils, as plain structs and a table of functions. The TypeScript contract
// (lib/kernels/contract.ts) is the specification: equations, shapes and accumulation rules stand there and
// hold here. Kernels borrow all memory, check nothing, never throw, print or allocate; scratch comes from the
// context.
#pragma once
#include <cstddef>
#include <cstdint>

#include "likelihood.h"

namespace lstm_native {

class Arena;
class ThreadPool;

// How the time loop of an LSTM is shared out: as the cost model of lstm/sharing.h says, or as it is told.
enum class Sharing { automatic, rows, units, layers };

// What a call runs on: the caller's scratch memory and the process's threads.
struct Context {
  Arena* arena;
  ThreadPool* pool;
  int threads;
  Sharing sharing = Sharing::automatic;
  std::size_t l2_bytes = std::size_t{1} << 20;  // of one core
};

// C[M, N] = A·B (+ C if accumulate). A is [M, K], or [K, M] if transpose_a; B is [K, N], or [N, K] if
// transpose_b.
struct GemmArgs {
  int M, N, K;
  const float* A;
  std::ptrdiff_t lda;
  const float* B;
  std::ptrdiff_t ldb;
  float* C;
  std::ptrdiff_t ldc;
  bool transpose_a, transpose_b, accumulate;
};

// `batch` products, whose matrices stand one behind the other.
struct BatchedGemmArgs : GemmArgs {
  int batch;
};

// Attention of B rows of T queries over memories of S keys, in N heads: lib/kernels/contract-attention.ts.
struct AttentionArgs {
  int B, T, S, N, D, E;
  float scale;
  const float* q;
  const float* k;
  const float* v;
  const float* vector;           // null: dot products
  const std::uint8_t* key_mask;  // may be null
  const std::uint8_t* mask;      // may be null
  const std::int32_t* rows;      // null: row b asks memory b
  float* y;
  float* weights;
  // Backward only, whose weights are read; any may be null.
  const float* dy;
  const float* dweights;
  float* dq;
  float* dk;
  float* dv;
  float* dvector;
};

struct LinearArgs {
  int N, I, O;
  const float* x;
  const float* weight;
  const float* bias;    // may be null
  const float* packed;  // what linear_pack made of the weight, which is then not read; or null
  float* y;
  // Backward only; any of the gradients may be null.
  const float* dy;
  float* dx;
  float* dweight;
  float* dbias;
};

struct EmbeddingArgs {
  int N, E;
  const std::int32_t* indices;
  const float* weight;
  float* y;
  const float* dy;
  float* dweight;
};

struct LayerNormArgs {
  int N, F;
  const float* x;
  const float* gain;   // may be null
  const float* shift;  // may be null
  float eps;
  float* y;
  float* mean;
  float* rstd;
  const float* dy;
  float* dx;
  float* dgain;
  float* dshift;
};

// Each channel over the rows that count; lib/kernels/contract-batch-norm.ts.
struct BatchNormArgs {
  int N, C;
  const std::uint8_t* mask;  // [N] or null
  const float* x;
  float* mean;         // [C], results of the statistics; null: 0
  float* variance;     // likewise; null: x is not divided
  const float* gain;   // may be null
  const float* shift;  // may be null
  float eps;
  float* y;
  // Backward only; any of the gradients may be null.
  bool of_batch;
  const float* dy;
  float* dx;
  float* dgain;
  float* dshift;
};

struct SoftmaxArgs {
  int N, C;
  bool log;
  const float* x;
  float* y;
  const float* dy;
  float* dx;
};

struct CrossEntropyArgs {
  int N, C;
  const float* logits;
  const std::int32_t* targets;
  const float* class_weights;  // may be null
  std::int32_t ignore_index;
  double label_smoothing;
  float* dlogits;      // may be null
  double sum, weight;  // results
};

struct CtcArgs {
  int B, T, C, S;
  const float* logits;
  const std::int32_t* targets;  // [B, S]
  const std::int32_t* input_lengths;
  const std::int32_t* target_lengths;
  std::int32_t blank;
  float* losses;   // [B]
  float* dlogits;  // may be null
};

// Window s reads the steps s·stride - before + k·dilation for k < size; those outside [0, T) are padding.
struct Windows {
  int T, S, size, stride, dilation, before;
};

struct Conv1dShape {
  int I, O, groups, size;
  int width() const { return I / groups; }
  int outputs() const { return O / groups; }
};

struct Conv1dArgs {
  Windows windows;
  int B, I, O, groups;
  Conv1dShape shape() const { return {I, O, groups, windows.size}; }
  int width() const { return I / groups; }
  const float* x;
  const float* weight;  // [O, I / groups, size]
  const float* bias;    // may be null
  const float* packed;  // what conv1d_pack made of the weight, which is then not read; or null
  float* y;
  // Backward only; any of the gradients may be null.
  const float* dy;
  float* dx;
  float* dweight;
  float* dbias;
};

struct Conv2dShape {
  int I, O, groups, rows, columns;
  int width() const { return I / groups; }
};

// Images [rows.T][columns.T][I] to [rows.S][columns.S][O].
struct Conv2dArgs {
  Windows rows, columns;
  int B, I, O, groups;
  Conv2dShape shape() const { return {I, O, groups, rows.size, columns.size}; }
  int width() const { return I / groups; }
  std::ptrdiff_t image() const { return static_cast<std::ptrdiff_t>(rows.T) * columns.T * I; }
  std::ptrdiff_t result() const { return static_cast<std::ptrdiff_t>(rows.S) * columns.S * O; }
  const float* x;
  const float* weight;  // [O, I / groups, rows.size, columns.size]
  const float* bias;    // may be null
  const float* packed;  // what conv2d_pack made of the weight, which is then not read; or null
  float* y;
  // Backward only; any of the gradients may be null.
  const float* dy;
  float* dx;
  float* dweight;
  float* dbias;
};

enum class Pool { max, average };

struct Pool1dArgs {
  Windows windows;
  int B, C;
  const std::uint8_t* mask;  // may be null
  bool count_padding;
  const float* x;
  float* y;
  const float* dy;
  float* dx;
};

enum class Unary {
  exp,
  log,
  sigmoid,
  tanh,
  relu,
  gelu,
  softplus,
  square,
  sqrt,
  abs,
  negate,
  gelu_tanh,
  relu6,
  selu,
  softsign,
  silu,
  hard_silu,
  mish,
  leaky_relu,
  elu,
  hard_sigmoid
};
enum class Binary { add, subtract, multiply, divide, maximum, minimum };
enum class Reduction { sum, max_abs };

// An array, for kernels that take several.
struct Span {
  const float* x;
  std::size_t n;
};

// The numbers in a function's formula, where it has any.
struct UnaryNumbers {
  float alpha, beta;
};

struct UnaryBackwardArgs {
  std::size_t n;
  const float* x;
  const float* y;
  const float* dy;
  float* dx;
  UnaryNumbers numbers;
};

struct SgdArgs {
  std::size_t n;
  float* weight;
  const float* gradient;
  float* velocity;  // may be null
  double learning_rate, momentum, weight_decay, gradient_scale;
  bool nesterov;
};

struct RmspropArgs {
  std::size_t n;
  float* weight;
  const float* gradient;
  float* square_average;
  float* velocity;  // may be null
  double learning_rate, alpha, eps, momentum, weight_decay, gradient_scale;
};

struct AdamArgs {
  std::size_t n;
  float* weight;
  const float* gradient;
  float* moment1;
  float* moment2;
  int step;
  double learning_rate, beta1, beta2, eps, weight_decay, gradient_scale;
  bool decoupled;
};

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

// Functions that an LSTM's gates, candidate and output may have; lib/kernels/contract.ts has their formulas.
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

// The largest errors of exp, sigmoid and tanh on any target, in units in the last place;
// native/math/activations.h says over which arguments. Measured over all floats (native_tests --exhaustive),
// rounded up.
constexpr double kExpUlp = 1.1, kSigmoidUlp = 2.5, kTanhUlp = 2.7;

struct Kernels {
  const char* name;
  int width;  // floats in a vector
  void (*gemm)(const Context&, const GemmArgs&);
  void (*batched_gemm)(const Context&, const BatchedGemmArgs&);
  void (*attention_forward)(const Context&, const AttentionArgs&);
  void (*attention_backward)(const Context&, const AttentionArgs&);
  void (*linear_forward)(const Context&, const LinearArgs&);
  void (*linear_backward)(const Context&, const LinearArgs&);
  std::size_t (*linear_packed_length)(int I, int O);
  void (*linear_pack)(int I, int O, const float* weight, float* packed);
  void (*embedding_forward)(const Context&, const EmbeddingArgs&);
  void (*embedding_backward)(const Context&, const EmbeddingArgs&);
  void (*layer_norm_forward)(const Context&, const LayerNormArgs&);
  void (*layer_norm_backward)(const Context&, const LayerNormArgs&);
  void (*batch_norm_statistics)(const Context&, const BatchNormArgs&);
  void (*batch_norm_forward)(const Context&, const BatchNormArgs&);
  void (*batch_norm_backward)(const Context&, const BatchNormArgs&);
  void (*softmax_forward)(const Context&, const SoftmaxArgs&);
  void (*softmax_backward)(const Context&, const SoftmaxArgs&);
  void (*softmax_cross_entropy)(const Context&, CrossEntropyArgs&);
  void (*ctc_loss)(const Context&, const CtcArgs&);
  void (*likelihood)(const Context&, Likelihood, LikelihoodArgs&);
  std::size_t (*conv1d_packed_length)(const Conv1dShape&);
  void (*conv1d_pack)(const Context&, const Conv1dShape&, const float* weight, float* packed);
  void (*conv1d_forward)(const Context&, const Conv1dArgs&);
  void (*conv1d_backward)(const Context&, const Conv1dArgs&);
  std::size_t (*conv2d_packed_length)(const Conv2dShape&);
  void (*conv2d_pack)(const Context&, const Conv2dShape&, const float* weight, float* packed);
  void (*conv2d_forward)(const Context&, const Conv2dArgs&);
  void (*conv2d_backward)(const Context&, const Conv2dArgs&);
  void (*pool1d_forward)(const Context&, Pool, const Pool1dArgs&);
  void (*pool1d_backward)(const Context&, Pool, const Pool1dArgs&);
  void (*unary_forward)(const Context&, Unary, UnaryNumbers, std::size_t n, const float* x, float* y);
  void (*unary_backward)(const Context&, Unary, const UnaryBackwardArgs&);
  void (*binary)(const Context&, Binary, std::size_t n, const float* a, const float* b, float* y);
  void (*axpy)(const Context&, std::size_t n, float alpha, const float* x, float* y);
  void (*multiply_add)(const Context&, std::size_t n, const float* a, const float* b, float* y);
  void (*add_rows)(const Context&, int N, int F, const float* x, float* y);
  void (*sum_rows)(const Context&, int N, int F, const float* x, float* y);
  double (*reduce)(const Context&, Reduction, std::size_t n, const float* x);
  double (*sum_of_squares)(const Context&, const Span* arrays, std::size_t count);
  void (*bernoulli)(const Context&, std::size_t n, float* out, std::uint32_t seed, double probability,
                    float value);
  void (*sgd_step)(const Context&, const SgdArgs&);
  void (*rmsprop_step)(const Context&, const RmspropArgs&);
  void (*adam_step)(const Context&, const AdamArgs&);
  std::size_t (*lstm_cache_length)(const LstmShape&);
  std::size_t (*lstm_packed_length)(const LstmShape&, LstmPass);
  void (*lstm_pack)(const Context&, const LstmShape&, LstmPass, const LstmWeights<const float>&,
                    float* packed);
  void (*lstm_forward)(const Context&, const LstmArgs* directions, int count);
  // Layers that each read what the one before writes, all in one direction, with packed weights and no cache.
  void (*lstm_stack_forward)(const Context&, const LstmArgs* layers, int count);
  void (*lstm_backward)(const Context&, const LstmArgs* directions, int count);
  void (*rnn_forward)(const Context&, const RnnArgs&);
  void (*rnn_backward)(const Context&, const RnnArgs&);
  // exp, sigmoid and tanh of native/math/activations.h, for the accuracy tests.
  void (*activation)(Unary, std::size_t n, const float* x, float* y);
  // Those of native/math/special.h, likewise.
  void (*special)(Special, std::size_t n, const double* x, double* y);
};

// The table of a target, or null where this build has none (NEON on x86 and the reverse).
const Kernels* scalar_kernels();
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();
const Kernels* neon_kernels();

}  // namespace lstm_native
