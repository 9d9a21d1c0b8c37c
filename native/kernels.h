// The kernels every target fulfils, as plain structs and a table of functions. The TypeScript contract
// (lib/kernels/contract.ts) is the specification: equations, shapes and accumulation rules stand there and
// hold here. Kernels borrow all memory, check nothing, never throw, print or allocate; scratch comes from the
// context.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/likelihood.h"
#include "kernels/lstm.h"
#include "kernels/products.h"
#include "kernels/rows.h"
#include "kernels/windows.h"

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
