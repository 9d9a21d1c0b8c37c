#include "openblas.h"

#if defined(LSTM_OPENBLAS)
#include <cblas.h>

#include <mutex>

namespace lstm_native {

// The pool of the package shares out the work; OpenBLAS's own threads would fight it and idle in a spin.
static void use_one_thread() {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
}

bool have_openblas() { return true; }

std::string gemm_description() {
  return std::string("own packed kernels; ") + openblas_get_config() + " for weight gradients";
}

void openblas_gemm(bool transpose_a, bool transpose_b, int M, int N, int K, const float* A,
                   std::ptrdiff_t lda, const float* B, std::ptrdiff_t ldb, float beta, float* C,
                   std::ptrdiff_t ldc) {
  use_one_thread();
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
              M, N, K, 1.0f, A, static_cast<blasint>(lda), B, static_cast<blasint>(ldb), beta, C,
              static_cast<blasint>(ldc));
}

}  // namespace lstm_native

#else

namespace lstm_native {

bool have_openblas() { return false; }

std::string gemm_description() { return "own packed kernels"; }

void openblas_gemm(bool, bool, int, int, int, const float*, std::ptrdiff_t, const float*, std::ptrdiff_t,
                   float, float*, std::ptrdiff_t) {}

}  // namespace lstm_native

#endif
