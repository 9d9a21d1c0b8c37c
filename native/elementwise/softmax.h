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

// What all classes share of a row's loss: share·Σ_c w[c]·-log p[c], in terms of its largest logit and log Σ
// exp(x - largest).
struct Smoothing {
  double share;    // ε / C
  double weights;  // Σ_c w[c]
};

static Smoothing smoothing_of(const CrossEntropyArgs& args) {
  double weights = args.C;
  if (args.class_weights != nullptr) weights = sum_of(Values{args.class_weights}, args.C);
  return {args.label_smoothing / args.C, weights};
}

static double smoothed_loss(const CrossEntropyArgs& args, const Smoothing& smoothing, const float* logits,
                            float largest, double log_total) {
  double below = 0;
  for (int c = 0; c < args.C; c++) {
    const double weight = args.class_weights != nullptr ? args.class_weights[c] : 1;
    below += weight * (static_cast<double>(largest) - logits[c]);
  }
  return smoothing.share * (smoothing.weights * log_total + below);
}

// From the row's exp(x - largest), whose sum is `total`, to the gradient: of_target·(p - onehot) +
// share·(p·Σw - w).
static void smoothed_gradient(const CrossEntropyArgs& args, const Smoothing& smoothing, double of_target,
                              double total, int target, float* row) {
  for (int c = 0; c < args.C; c++) {
    const double weight = args.class_weights != nullptr ? args.class_weights[c] : 1;
    const double below = c == target ? total : 0;
    const double of_all = smoothing.share * (smoothing.weights * row[c] / total - weight);
    row[c] = static_cast<float>(of_target * (row[c] - below) / total + of_all);
  }
}

struct CrossEntropyRun {
  const CrossEntropyArgs* args;
  Smoothing smoothing;
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
  const bool smooths = args.label_smoothing > 0;
  const double of_target = (1 - args.label_smoothing) * weight;
  run.losses[n] = of_target * (::log(total) + largest - logits[target]);
  if (smooths) run.losses[n] += smoothed_loss(args, run.smoothing, logits, largest, ::log(total));
  run.weights[n] = weight;
  if (args.dlogits == nullptr) return;
  if (smooths) return smoothed_gradient(args, run.smoothing, of_target, total, target, row);
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
  CrossEntropyRun run = {&args, smoothing_of(args), context.arena->take<double>(args.N),
                         context.arena->take<double>(args.N), context.arena->take<float>(scratch)};
  context.pool->run(threads, cross_entropy_share, &run);
  args.sum = 0;
  args.weight = 0;
  for (int n = 0; n < args.N; n++) {
    args.sum += run.losses[n];
    args.weight += run.weights[n];
  }
}

}  // namespace lstm_native::LSTM_TARGET
