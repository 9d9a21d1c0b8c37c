// Products of matrices, linear layers, and rows by index: what the kernels are told.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lstm_native {

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

}  // namespace lstm_native
