// The CTC loss: the equations stand in lib/kernels/contract-ctc.ts. A sequence is one thread's. Forward and
// backward variables are logarithms in double; the softmax of the classes that the target lacks is float.
#pragma once

namespace lstm_native::LSTM_TARGET {

// What one thread works with, reused from sequence to sequence. U is the number of distinct classes of a
// path, the blank being the first of them.
struct CtcScratch {
  double* alpha;   // [T, W], W = 2S + 1
  double* logp;    // [T, U]
  double* beta;    // [W]
  double* shares;  // [U]
  int* path;       // [W] indices into `classes`
  int* classes;    // [U]
  int* found;      // [C] where a class stands in `classes`, -1 for nowhere
  float* exps;     // [C]
};

struct CtcRun {
  const CtcArgs* args;
  double* doubles;
  int* integers;
  float* floats;
  std::size_t doubles_each, integers_each, floats_each;

  CtcScratch scratch(int index) const {
    const std::size_t W = 2 * static_cast<std::size_t>(args->S) + 1;
    const std::size_t T = args->T, U = static_cast<std::size_t>(args->S) + 1;
    double* d = doubles + index * doubles_each;
    int* i = integers + index * integers_each;
    return {d, d + T * W, d + T * (W + U), d + T * (W + U) + W,
            i, i + W,     i + W + U,       floats + index * floats_each};
  }
};

// ln(eᵃ + eᵇ)
static double log_add(double a, double b) {
  const double largest = a > b ? a : b;
  if (largest == -HUGE_VAL) return a + b;  // not `largest`: it might hide a NaN
  return largest + ::log1p(::exp(a > b ? b - a : a - b));
}

// Fills `path` and `classes`; returns U.
static int ctc_path(const CtcArgs& args, int b, const CtcScratch& scratch) {
  const std::int32_t* labels = args.targets + static_cast<std::ptrdiff_t>(b) * args.S;
  int U = 0;
  scratch.classes[U++] = args.blank;
  scratch.path[0] = 0;
  for (int i = 0; i < args.target_lengths[b]; i++) {
    int& place = scratch.found[labels[i]];
    if (place < 0) {
      place = U;
      scratch.classes[U++] = labels[i];
    }
    scratch.path[2 * i + 1] = place;
    scratch.path[2 * i + 2] = 0;
  }
  for (int u = 1; u < U; u++) scratch.found[scratch.classes[u]] = -1;
  return U;
}

// Whether a path may come to s from s - 2, over a blank: not to a blank, nor to the label it comes from.
static bool ctc_may_leap(const int* path, int s) { return s % 2 == 1 && s >= 2 && path[s] != path[s - 2]; }

// logp[t] of the path's classes, and the softmax of all of them where there are gradients.
static void ctc_probabilities(const CtcArgs& args, int b, int U, const CtcScratch& scratch) {
  const int C = args.C, steps = args.input_lengths[b];
  for (std::ptrdiff_t t = 0; t < steps; t++) {
    const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(b) * args.T + t) * C;
    const float* row = args.logits + at;
    float* exps = args.dlogits != nullptr ? args.dlogits + at : scratch.exps;
    const float largest = largest_of(row, C);
    const double total = shifted_exps(row, largest, C, exps);
    const double log_total = ::log(total);
    for (int u = 0; u < U; u++) {
      const double shifted = static_cast<double>(row[scratch.classes[u]]) - largest;
      scratch.logp[t * U + u] = shifted - log_total;
    }
    if (args.dlogits == nullptr) continue;
    const V divisor = set(static_cast<float>(total));
    for (int c = 0; c < C; c += kWidth) store(exps + c, div(load(exps + c, C - c), divisor), C - c);
  }
}

// α, and from its end the loss.
static double ctc_forward(const CtcScratch& scratch, int steps, int W, int U) {
  if (steps == 0) return W == 1 ? 0 : HUGE_VAL;
  for (std::ptrdiff_t t = 0; t < steps; t++) {
    double* row = scratch.alpha + t * W;
    const double* before = row - W;
    for (int s = 0; s < W; s++) {
      double arriving;
      if (t == 0) {
        arriving = s < 2 ? 0 : -HUGE_VAL;
      } else {
        arriving = s > 0 ? log_add(before[s], before[s - 1]) : before[s];
        if (ctc_may_leap(scratch.path, s)) arriving = log_add(arriving, before[s - 2]);
      }
      row[s] = arriving + scratch.logp[t * U + scratch.path[s]];
    }
  }
  const double* last = scratch.alpha + static_cast<std::ptrdiff_t>(steps - 1) * W;
  return -(W > 1 ? log_add(last[W - 1], last[W - 2]) : last[W - 1]);
}

// β, a step at a time, and with it the gradient of the path's classes.
static void ctc_backward(const CtcScratch& scratch, int steps, int W, int U, double loss, float* dlogits,
                         int C) {
  double* beta = scratch.beta;
  for (std::ptrdiff_t t = steps - 1; t >= 0; t--) {
    const double* logp = scratch.logp + t * U;
    for (int u = 0; u < U; u++) scratch.shares[u] = 0;
    // From left to right, a row can take the place of the one after it: s reads s, s + 1 and s + 2 only.
    for (int s = 0; s < W; s++) {
      double leaving;
      if (t == steps - 1) {
        leaving = s >= W - 2 ? 0 : -HUGE_VAL;
      } else {
        leaving = s + 1 < W ? log_add(beta[s], beta[s + 1]) : beta[s];
        if (s + 2 < W && ctc_may_leap(scratch.path, s + 2)) leaving = log_add(leaving, beta[s + 2]);
      }
      beta[s] = leaving + logp[scratch.path[s]];
      scratch.shares[scratch.path[s]] += ::exp(scratch.alpha[t * W + s] + leaving + loss);
    }
    // p - γ in double: where the model is right, its digits are all in what the two differ by.
    for (int u = 0; u < U; u++)
      dlogits[t * C + scratch.classes[u]] = static_cast<float>(::exp(logp[u]) - scratch.shares[u]);
  }
}

static void ctc_sequence(const CtcArgs& args, int b, const CtcScratch& scratch) {
  const int steps = args.input_lengths[b], W = 2 * args.target_lengths[b] + 1;
  const std::size_t own = static_cast<std::size_t>(args.T) * args.C;
  float* dlogits = args.dlogits != nullptr ? args.dlogits + b * own : nullptr;
  const int U = ctc_path(args, b, scratch);
  ctc_probabilities(args, b, U, scratch);
  const double loss = ctc_forward(scratch, steps, W, U);
  args.losses[b] = static_cast<float>(loss);
  if (dlogits == nullptr) return;
  const std::size_t learned = loss == HUGE_VAL ? 0 : static_cast<std::size_t>(steps) * args.C;
  if (learned > 0) ctc_backward(scratch, steps, W, U, loss, dlogits, args.C);
  std::memset(dlogits + learned, 0, sizeof(float) * (own - learned));
}

static void ctc_share(void* data, int index, int count) {
  const CtcRun& run = *static_cast<const CtcRun*>(data);
  const CtcScratch scratch = run.scratch(index);
  for (int c = 0; c < run.args->C; c++) scratch.found[c] = -1;
  int first, last;
  share(run.args->B, index, count, &first, &last);
  for (int b = first; b < last; b++) ctc_sequence(*run.args, b, scratch);
}

static void ctc_loss(const Context& context, const CtcArgs& args) {
  const std::size_t T = args.T, C = args.C, W = 2 * static_cast<std::size_t>(args.S) + 1;
  const std::size_t U = static_cast<std::size_t>(args.S) + 1;
  const double step = kActivation * static_cast<double>(C) + kLibrary * static_cast<double>(W);
  const int threads = useful_threads(context, static_cast<double>(args.B) * static_cast<double>(T) * step);
  CtcRun run = {};
  run.args = &args;
  run.doubles_each = T * (W + U) + W + U;
  run.integers_each = W + U + C;
  run.floats_each = C;
  run.doubles = context.arena->take<double>(threads * run.doubles_each);
  run.integers = context.arena->take<int>(threads * run.integers_each);
  run.floats = context.arena->take<float>(threads * run.floats_each);
  context.pool->run(threads, ctc_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
