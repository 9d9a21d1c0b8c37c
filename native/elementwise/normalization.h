// Layer normalisation of rows (Ba, Kiros & Hinton 2016); the LSTM normalises its rows with the same
// functions.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Statistics of a row, in double: cancellation in the variance would cost the small ones their digits. The
// mean comes in two parts, so that rows far from zero keep theirs.
struct RowStatistics {
  float mean, mean_rest, rstd;
};

static RowStatistics row_statistics(const float* row, int n, float eps) {
  const double mean = sum_of(Values{row}, n) / n;
  const double variance = sum_of(Squares{row, mean}, n) / n;
  const float nearest = static_cast<float>(mean);
  return {nearest, static_cast<float>(mean - nearest),
          static_cast<float>(1 / __builtin_sqrt(variance + eps))};
}

BRICK V normalized(const RowStatistics& statistics, V x) {
  return mul(sub(sub(x, set(statistics.mean)), set(statistics.mean_rest)), set(statistics.rstd));
}

// row = (row - mean)·rstd; returns rstd.
static float normalize_row(float* row, int n, float eps) {
  const RowStatistics statistics = row_statistics(row, n, eps);
  for (int j = 0; j < n; j += kWidth) store(row + j, normalized(statistics, load(row + j, n - j)), n - j);
  return statistics.rstd;
}

// a∘b∘c
struct TripleProducts {
  const float* a;
  const float* b;
  const float* c;
  BRICK_MEMBER double at(int j) const { return static_cast<double>(a[j]) * b[j] * c[j]; }
};

// out = rstd·(d - mean(d) - hat·mean(d∘hat)) with d = gradient∘gain. `out` may be `hat`.
static void normalization_gradient(const float* gradient, const float* gain, const float* hat, float rstd,
                                   int n, float* out) {
  const V mean = set(static_cast<float>(sum_of(Products{gradient, gain}, n) / n));
  const V mean_product = set(static_cast<float>(sum_of(TripleProducts{gradient, gain, hat}, n) / n));
  for (int j = 0; j < n; j += kWidth) {
    const V d = mul(load(gradient + j, n - j), load(gain + j, n - j));
    const V centred = fnma(load(hat + j, n - j), mean_product, sub(d, mean));
    store(out + j, mul(set(rstd), centred), n - j);
  }
}

struct LayerNormRun {
  const LayerNormArgs* args;
  const float* gain;   // [F]
  const float* shift;  // [F]
  float* hat;          // [N][F], backward only
};

static const float* filled_row(const Context& context, int F, float value) {
  float* row = context.arena->take<float>(F);
  for (int f = 0; f < F; f++) row[f] = value;
  return row;
}

static LayerNormRun layer_norm_run(const Context& context, const LayerNormArgs& args) {
  LayerNormRun run = {&args, args.gain, args.shift, nullptr};
  if (run.gain == nullptr) run.gain = filled_row(context, args.F, 1);
  if (run.shift == nullptr) run.shift = filled_row(context, args.F, 0);
  return run;
}

static int layer_norm_threads(const Context& context, const LayerNormArgs& args) {
  return useful_threads(context, static_cast<double>(args.N) * args.F * kActivation);
}

static void layer_norm_forward_share(void* data, int index, int count) {
  const LayerNormRun& run = *static_cast<const LayerNormRun*>(data);
  const LayerNormArgs& args = *run.args;
  const int F = args.F;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    const float* x = args.x + n * F;
    float* y = args.y + n * F;
    const RowStatistics statistics = row_statistics(x, F, args.eps);
    args.mean[n] = statistics.mean;
    args.rstd[n] = statistics.rstd;
    for (int j = 0; j < F; j += kWidth) {
      const V hat = normalized(statistics, load(x + j, F - j));
      store(y + j, fma(hat, load(run.gain + j, F - j), load(run.shift + j, F - j)), F - j);
    }
  }
}

static void layer_norm_forward(const Context& context, const LayerNormArgs& args) {
  LayerNormRun run = layer_norm_run(context, args);
  context.pool->run(layer_norm_threads(context, args), layer_norm_forward_share, &run);
}

static void layer_norm_hat_share(void* data, int index, int count) {
  const LayerNormRun& run = *static_cast<const LayerNormRun*>(data);
  const LayerNormArgs& args = *run.args;
  const int F = args.F;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    const RowStatistics statistics = {args.mean[n], 0, args.rstd[n]};
    for (int j = 0; j < F; j += kWidth) {
      store(run.hat + n * F + j, normalized(statistics, load(args.x + n * F + j, F - j)), F - j);
    }
  }
}

static void layer_norm_gradient_share(void* data, int index, int count) {
  const LayerNormRun& run = *static_cast<const LayerNormRun*>(data);
  const LayerNormArgs& args = *run.args;
  const int F = args.F;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    float* hat = run.hat + n * F;
    normalization_gradient(args.dy + n * F, run.gain, hat, args.rstd[n], F, hat);
    each_vector(ScaledAddition{set(1.0f), hat, args.dx + n * F}, 0, F);
  }
}

static void layer_norm_backward(const Context& context, const LayerNormArgs& args) {
  const int N = args.N, F = args.F;
  LayerNormRun run = layer_norm_run(context, args);
  run.hat = context.arena->take<float>(static_cast<std::size_t>(N) * F);
  const int threads = layer_norm_threads(context, args);
  context.pool->run(threads, layer_norm_hat_share, &run);
  column_sums(context, {N, F, args.dy, F, run.hat, F, nullptr, args.dgain});
  column_sums(context, {N, F, args.dy, F, nullptr, 0, nullptr, args.dshift});
  if (args.dx != nullptr) context.pool->run(threads, layer_norm_gradient_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
