// OpenBLAS behind the same signature as our own product, where the build links it. It is called
// single-threaded, on fixed parts, so that results do not depend on the number of threads.
#pragma once
#include <cstddef>
#include <string>

namespace lstm_native {

// Which products there are, for backend().
std::string gemm_description();

// Whether OpenBLAS is linked in.
bool have_openblas();

// C[M, N] = A·B (+ C), row-major; only where have_openblas().
void openblas_gemm(bool transpose_a, bool transpose_b, int M, int N, int K, const float* A,
                   std::ptrdiff_t lda, const float* B, std::ptrdiff_t ldb, float beta, float* C,
                   std::ptrdiff_t ldc);

}  // namespace lstm_native
