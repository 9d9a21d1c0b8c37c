// Products with few columns, such as the gradients behind an input of one feature: a panel of kPanelColumns
// would be mostly padding. What is many runs along the vectors instead.
#pragma once

namespace lstm_native::LSTM_TARGET {

constexpr int kThin = 4;  // columns up to which a product counts as thin

// C[m][n] += Σ_k a_rows[m][k]·b_rows[k][n] for n < N <= kThin: one row of A against N columns at a time.
struct ThinProduct {
  int M, N, K;
  const float* const* a_rows;
  Pieces pieces;         // of a row of A
  const float* columns;  // [N][K], B transposed
  float* const* c_rows;
};

static void thin_product_share(void* data, int index, int count) {
  const ThinProduct& p = *static_cast<const ThinProduct*>(data);
  int first, last;
  share(p.M, index, count, &first, &last);
  for (int m = first; m < last; m++) {
    for (int n = 0; n < p.N; n++) {
      const float* column = p.columns + static_cast<std::ptrdiff_t>(n) * p.K;
      const float* a = p.a_rows[m];
      V sums[4] = {zero(), zero(), zero(), zero()};
      for (int k0 = 0; k0 < p.K; k0 += p.pieces.length, a += p.pieces.stride, column += p.pieces.length) {
        const int length = p.K - k0 < p.pieces.length ? p.K - k0 : p.pieces.length;
        int k = 0;
        for (; k + kPanelColumns <= length; k += kPanelColumns) {
          for (int j = 0; j < 4; j++) {
            sums[j] = fma(load(a + k + j * kWidth), load(column + k + j * kWidth), sums[j]);
          }
        }
        for (; k < length; k += kWidth)
          sums[0] = fma(load(a + k, length - k), load(column + k, length - k), sums[0]);
      }
      p.c_rows[m][n] += sum(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
    }
  }
}

static void thin_product(const Context& context, int M, int N, int K, const float* const* a_rows,
                         Pieces pieces, const float* const* b_rows, float* const* c_rows) {
  float* columns = context.arena->take<float>(static_cast<std::size_t>(N) * K);
  for (int k = 0; k < K; k++) {
    for (int n = 0; n < N; n++)
      columns[static_cast<std::ptrdiff_t>(n) * K + k] = b_rows[k] != nullptr ? b_rows[k][n] : 0;
  }
  ThinProduct product = {M, N, K, a_rows, pieces, columns, c_rows};
  context.pool->run(useful_threads(context, static_cast<double>(M) * N * K), thin_product_share, &product);
}

// dW[m][n] += Σ_k gradient[k][m]·rows[k][n] for n < N <= kThin: vectors run along m. Shared out by m, in the
// order of k.
struct ThinGradient {
  int M, N, K;
  const float* gradient;  // [K, M]
  const float* const* rows;
  float* dweight;  // [M, N]
};

static void thin_gradient_share(void* data, int index, int count) {
  const ThinGradient& p = *static_cast<const ThinGradient*>(data);
  int first, last;
  share((p.M + kWidth - 1) / kWidth, index, count, &first, &last);
  for (int block = first; block < last; block++) {
    const int m = block * kWidth, lanes = p.M - m;
    for (int n = 0; n < p.N; n++) {
      for (int k0 = 0; k0 < p.K; k0 += kChunk) {
        const int k1 = k0 + kChunk < p.K ? k0 + kChunk : p.K;
        V sum = zero();
        for (int k = k0; k < k1; k++) {
          sum =
              fma(load(p.gradient + static_cast<std::ptrdiff_t>(k) * p.M + m, lanes), set(p.rows[k][n]), sum);
        }
        float values[kWidth];
        store(values, sum);
        for (int lane = 0; lane < kWidth && lane < lanes; lane++) {
          p.dweight[static_cast<std::ptrdiff_t>(m + lane) * p.N + n] += values[lane];
        }
      }
    }
  }
}

static void thin_gradient(const Context& context, int M, int N, int K, const float* gradient,
                          const float* const* rows, float* dweight) {
  ThinGradient product = {M, N, K, gradient, rows, dweight};
  context.pool->run(useful_threads(context, static_cast<double>(M) * N * K), thin_gradient_share, &product);
}

}  // namespace lstm_native::LSTM_TARGET
