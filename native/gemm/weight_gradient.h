// dW += Σ_k gradient[k]ᵀ·rows[k]: the product behind every weight's gradient, through OpenBLAS where it is
// linked and the product is large, through our own otherwise. A weight's gradient sums over the whole batch,
// so that nothing is lost where a product does not keep rows apart; what decides a prediction goes through
// our own alone.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Rows of dW in one call of OpenBLAS: a quarter of them, in whole tiles. The shape alone decides, so that the
// calls, and their bits, are the same at any number of threads.
BRICK int blas_rows(int M) {
  const int quarter = (M / 4 + 63) / 64 * 64;
  return quarter < 64 ? 64 : quarter > 256 ? 256 : quarter;
}

// Multiplications from which the copy of `rows` and OpenBLAS's packing are small beside its product.
constexpr double kBlasWork = 4e6;

// Rows of the batch that are copied side by side at a time: they stay in L2 for the products that read them.
constexpr int kBlasChunk = 512;

struct BlasRun {
  int M, N, K;
  const float* gradient;
  const float* const* rows;
  float* dense;  // [kBlasChunk, N]
  float* dweight;
  Barrier barrier;
};

static void blas_share(void* data, int index, int count) {
  BlasRun& run = *static_cast<BlasRun*>(data);
  const std::size_t N = run.N;
  const int block_rows = blas_rows(run.M), blocks = (run.M + block_rows - 1) / block_rows;
  for (int k0 = 0; k0 < run.K; k0 += kBlasChunk) {
    const int kc = run.K - k0 < kBlasChunk ? run.K - k0 : kBlasChunk;
    if (k0 > 0) run.barrier.wait(count);
    int first, last;
    share(kc, index, count, &first, &last);
    for (int k = first; k < last; k++) std::memcpy(run.dense + k * N, run.rows[k0 + k], sizeof(float) * N);
    run.barrier.wait(count);
    const float* gradient = run.gradient + static_cast<std::size_t>(k0) * run.M;
    for (int block = index; block < blocks; block += count) {
      const int m = block * block_rows, rows = run.M - m < block_rows ? run.M - m : block_rows;
      openblas_gemm(true, false, rows, run.N, kc, gradient + m, run.M, run.dense, run.N, 1.0f,
                    run.dweight + m * N, run.N);
    }
  }
}

// gradient [K, M]; rows [K] pointers to N floats each; dweight [M, N], added to, or null.
static void weight_gradient(const Context& context, int M, int N, int K, const float* gradient,
                            const float* const* rows, float* dweight) {
  if (dweight == nullptr || M == 0 || N == 0 || K == 0) return;
  if (N <= kThin) return thin_gradient(context, M, N, K, gradient, rows, dweight);
  const double work = static_cast<double>(M) * N * K;
  if (have_openblas() && work >= kBlasWork) {
    BlasRun run = {M,        N,    K,
                   gradient, rows, context.arena->take<float>(static_cast<std::size_t>(kBlasChunk) * N),
                   dweight,  {}};
    context.pool->run(useful_threads(context, work), blas_share, &run);
    return;
  }
  Product p = {};
  p.M = M;
  p.N = N;
  p.K = K;
  p.a_transposed = gradient;
  p.lda = M;
  p.b_rows = rows;
  p.c_rows = row_pointers(context, dweight, N, M);
  p.accumulate = true;
  multiply(context, p);
}

}  // namespace lstm_native::LSTM_TARGET
