// Softmax over rows, alone and fused with the cross-entropy. A row's largest element is subtracted first;
// sums are doubles.
#pragma once

namespace lstm_native::LSTM_TARGET {

static float largest_of(const float* row, int n) {
  float lanes[kWidth];
  V largest = set(-HUGE_VALF);
  for (int j = 0; j + kWidth <= n; j += kWidth) largest = max(load(row + j), largest);
  store(lanes, largest);
  float result = lanes[0];
  for (float lane : lanes) result = lane > result ? lane : result;
  for (int j = n - n % kWidth; j < n; j++) result = row[j] > result ? row[j] : result;
  return result;
}

// exps[c] = exp(row[c] - largest); returns their sum.
static double shifted_exps(const float* row, float largest, int n, float* exps) {
  const V shift = set(largest);
  for (int j = 0; j < n; j += kWidth) store(exps + j, exp(sub(load(row + j, n - j), shift)), n - j);
  return sum_of(Values{exps}, n);
}

static int softmax_threads(const Context& context, int N, int C) {
  return useful_threads(context, static_cast<double>(N) * C * kActivation);
}

static void softmax_forward_share(void* data, int index, int count) {
  const SoftmaxArgs& args = *static_cast<const SoftmaxArgs*>(data);
  const int C = args.C;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    const float* x = args.x + n * C;
    float* y = args.y + n * C;
    const float largest = largest_of(x, C);
    const double total = shifted_exps(x, largest, C, y);
    if (args.log) {
      const double log_total = largest + ::log(total);
      for (int c = 0; c < C; c++) y[c] = static_cast<float>(x[c] - log_total);
    } else {
      const V divisor = set(static_cast<float>(total));
      for (int j = 0; j < C; j += kWidth) store(y + j, div(load(y + j, C - j), divisor), C - j);
    }
  }
}

static void softmax_forward(const Context& context, const SoftmaxArgs& args) {
  SoftmaxArgs run = args;
  context.pool->run(softmax_threads(context, args.N, args.C), softmax_forward_share, &run);
}

static void softmax_backward_share(void* data, int index, int count) {
  const SoftmaxArgs& args = *static_cast<const SoftmaxArgs*>(data);
  const int C = args.C;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t row = first; row < last; row++) {
    const float* y = args.y + row * C;
    const float* dy = args.dy + row * C;
    float* dx = args.dx + row * C;
    const V total = set(static_cast<float>(args.log ? sum_of(Values{dy}, C) : sum_of(Products{y, dy}, C)));
    for (int c = 0; c < C; c += kWidth) {
      const int n = C - c;
      const V upstream = load(dy + c, n), value = load(y + c, n);
      const V change = args.log ? fnma(exp(value), total, upstream) : mul(value, sub(upstream, total));
      store(dx + c, add(load(dx + c, n), change), n);
    }
  }
}

static void softmax_backward(const Context& context, const SoftmaxArgs& args) {
  SoftmaxArgs run = args;
  context.pool->run(softmax_threads(context, args.N, args.C), softmax_backward_share, &run);
}

struct CrossEntropyRun {
  const CrossEntropyArgs* args;
  double* losses;   // [N]
  double* weights;  // [N]
  float* exps;      // [threads][C] where nobody wants the gradient
};

static void cross_entropy_row(const CrossEntropyRun& run, std::ptrdiff_t n, float* exps) {
  const CrossEntropyArgs& args = *run.args;
  const int C = args.C, target = args.targets[n];
  if (target == args.ignore_index) {
    run.losses[n] = 0;
    run.weights[n] = 0;
    if (args.dlogits != nullptr) std::memset(args.dlogits + n * C, 0, sizeof(float) * C);
    return;
  }
  const float* logits = args.logits + n * C;
  float* row = args.dlogits != nullptr ? args.dlogits + n * C : exps;
  const double weight = args.class_weights != nullptr ? args.class_weights[target] : 1;
  const float largest = largest_of(logits, C);
  const double total = shifted_exps(logits, largest, C, row);
  run.losses[n] = weight * (::log(total) + largest - logits[target]);
  run.weights[n] = weight;
  if (args.dlogits == nullptr) return;
  // The target's p - 1 in double: where the model is right, its digits are all in what p lacks.
  const double scale = weight / total;
  const double target_gradient = scale * (row[target] - total);
  for (int c = 0; c < C; c++) row[c] = static_cast<float>(scale * row[c]);
  row[target] = static_cast<float>(target_gradient);
}

static void cross_entropy_share(void* data, int index, int count) {
  const CrossEntropyRun& run = *static_cast<const CrossEntropyRun*>(data);
  int first, last;
  share(run.args->N, index, count, &first, &last);
  float* exps = run.exps + static_cast<std::size_t>(index) * run.args->C;
  for (std::ptrdiff_t n = first; n < last; n++) cross_entropy_row(run, n, exps);
}

static void softmax_cross_entropy(const Context& context, CrossEntropyArgs& args) {
  const int threads = softmax_threads(context, args.N, args.C);
  const std::size_t scratch = args.dlogits != nullptr ? 0 : static_cast<std::size_t>(threads) * args.C;
  CrossEntropyRun run = {&args, context.arena->take<double>(args.N), context.arena->take<double>(args.N),
                         context.arena->take<float>(scratch)};
  context.pool->run(threads, cross_entropy_share, &run);
  args.sum = 0;
  args.weight = 0;
  for (int n = 0; n < args.N; n++) {
    args.sum += run.losses[n];
    args.weight += run.weights[n];
  }
}

}  // namespace lstm_native::LSTM_TARGET
