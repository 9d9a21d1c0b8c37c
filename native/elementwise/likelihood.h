// The likelihoods of distribution heads: the equations stand in lib/kernels/contract-likelihood.ts.
// Everything is computed in double, a block of targets at a time, whose rows become columns; a block is one
// thread's, and the sums of the blocks are added in their order.
#pragma once

namespace lstm_native::LSTM_TARGET {

constexpr int kBlockTargets = 64;  // whole vectors of doubles on every target
constexpr int kMostNumbers = 3;    // in a row of predictions

struct LikelihoodBlock {
  double numbers[kMostNumbers][kBlockTargets];
  double target[kBlockTargets], scale[kBlockTargets], weight[kBlockTargets];
  double loss[kBlockTargets], slopes[kMostNumbers][kBlockTargets], target_slope[kBlockTargets];
};

// 0, or NaN where x is infinite or NaN: added to what would hide it.
BRICK D unless_finite(D x) { return sub(x, x); }

// Each family computes losses and slopes of the vector of targets that begins at i.
struct GaussianLikelihood {
  static constexpr int kNumbers = 2;
  static constexpr double kCost = 2 * kActivation;

  static BRICK_MEMBER void at(LikelihoodBlock& block, int i, bool) {
    const D mean = load(block.numbers[0] + i), log_variance = load(block.numbers[1] + i);
    const D target = load(block.target + i), difference = sub(target, mean);
    const D odd = add(unless_finite(difference), unless_finite(log_variance));
    const D scaled = mul(difference, exp(sub(set(0.0), log_variance)));
    const D square = mul(difference, scaled);
    store(block.loss + i, add(odd, mul(set(0.5), add(log_variance, square))));
    store(block.slopes[0] + i, sub(odd, scaled));
    store(block.slopes[1] + i, add(odd, mul(set(0.5), sub(set(1.0), square))));
    store(block.target_slope + i, add(odd, scaled));
  }
};

struct StudentTLikelihood {
  static constexpr int kNumbers = 3;
  static constexpr double kCost = 8 * kActivation;

  static BRICK_MEMBER void at(LikelihoodBlock& block, int i, bool) {
    const D location = load(block.numbers[0] + i), log_scale = load(block.numbers[1] + i);
    const D raw = load(block.numbers[2] + i), target = load(block.target + i);
    const D one = set(1.0), half = set(0.5), difference = sub(target, location);
    const D odd = add(add(unless_finite(difference), unless_finite(log_scale)), unless_finite(raw));
    D slope;
    const D freedom = add(set(2.0), softplus(raw, &slope)), more = add(freedom, one);
    const D scaled = mul(difference, exp(sub(set(0.0), log_scale)));
    const D q = div(mul(difference, scaled), freedom), below = add(one, q), bend = log1p(q);
    const GammaStep step = gamma_step(mul(half, freedom), half);
    const D size = add(log(mul(freedom, set(3.14159265358979323846))), log_scale);
    const D share = div(mul(more, q), below);  // (ν + 1)·q / (1 + q)
    const D towards = div(mul(more, scaled), mul(freedom, below));
    const D of_freedom = add(sub(bend, step.digamma), div(sub(one, share), freedom));
    store(block.loss + i, add(odd, sub(mul(half, fma(more, bend, size)), step.log)));
    store(block.slopes[0] + i, sub(odd, towards));
    store(block.slopes[1] + i, add(odd, mul(half, sub(one, share))));
    store(block.slopes[2] + i, add(odd, mul(mul(half, slope), of_freedom)));
    store(block.target_slope + i, add(odd, towards));
  }
};

struct NegativeBinomialLikelihood {
  static constexpr int kNumbers = 2;
  static constexpr double kCost = 16 * kActivation;

  static BRICK_MEMBER void at(LikelihoodBlock& block, int i, bool with_target) {
    const D raw_mean = load(block.numbers[0] + i), raw_dispersion = load(block.numbers[1] + i);
    const D count = load(block.target + i), scale = load(block.scale + i), one = set(1.0);
    const D odd = add(add(unless_finite(raw_mean), unless_finite(raw_dispersion)),
                      add(unless_finite(count), unless_finite(scale)));
    D mean_slope, dispersion_slope;
    const D unscaled = softplus(raw_mean, &mean_slope);
    const D dispersion = softplus(raw_dispersion, &dispersion_slope);
    const D mean = mul(scale, unscaled), r = div(sqrt(scale), dispersion), whole = add(r, mean);
    const GammaStep step = gamma_step(r, count);
    const D rise = log1p(div(mean, r)), fall = log1p(div(r, mean)), more = sub(count, mean);
    const D factorial = sub(lgamma(add(count, one)), step.log);
    const D of_mean = mul(div(mean_slope, unscaled), mul(div(r, whole), more));
    const D in_r = sub(add(rise, div(more, whole)), step.digamma);
    const D of_dispersion = mul(mul(in_r, r), div(dispersion_slope, dispersion));
    store(block.loss + i, add(odd, fma(count, fall, fma(r, rise, factorial))));
    store(block.slopes[0] + i, sub(odd, of_mean));
    store(block.slopes[1] + i, sub(odd, of_dispersion));
    if (!with_target) return;
    const D of_count = add(sub(digamma(add(count, one)), digamma(add(count, r))), fall);
    store(block.target_slope + i, add(odd, of_count));
  }
};

// Reads a block's n targets; one that does not count, and what is past the n, gets harmless numbers.
template <int numbers>
static void likelihood_columns(const LikelihoodArgs& args, std::ptrdiff_t start, int n,
                               LikelihoodBlock* block) {
  for (int i = 0; i < kBlockTargets; i++) {
    const std::ptrdiff_t at = start + i;
    double weight = 0;
    if (i < n && args.target[at] == args.target[at]) weight = args.mask != nullptr ? args.mask[at] : 1;
    const bool counts = weight != 0;
    block->weight[i] = weight;
    block->target[i] = counts ? args.target[at] : 0;
    block->scale[i] = counts && args.scale != nullptr ? args.scale[at] : 1;
    for (int k = 0; k < numbers; k++) block->numbers[k][i] = counts ? args.prediction[at * numbers + k] : 0;
  }
}

// target[i·stride] = weight·slope
static void weigh_slopes(const LikelihoodBlock& block, const double* slopes, int n, float* target,
                         std::ptrdiff_t stride) {
  for (int i = 0; i < n; i++) target[i * stride] = static_cast<float>(block.weight[i] * slopes[i]);
}

struct WeighedLosses {
  const double* weight;
  const double* loss;
  BRICK_MEMBER double at(int i) const { return weight[i] * loss[i]; }
};

struct Weights {
  const double* weight;
  BRICK_MEMBER double at(int i) const { return weight[i]; }
};

struct LikelihoodRun {
  const LikelihoodArgs* args;
  double* sums;     // [blocks]
  double* weights;  // [blocks]
};

BRICK int target_blocks(int N) {
  return static_cast<int>((N + std::ptrdiff_t{kBlockTargets} - 1) / kBlockTargets);
}

template <typename Family>
static void likelihood_share(void* data, int index, int count) {
  const LikelihoodRun& run = *static_cast<const LikelihoodRun*>(data);
  const LikelihoodArgs& args = *run.args;
  int first, last;
  share(target_blocks(args.N), index, count, &first, &last);
  LikelihoodBlock block;
  for (std::ptrdiff_t each = first; each < last; each++) {
    const std::ptrdiff_t start = each * kBlockTargets, left = args.N - start;
    const int n = left < kBlockTargets ? static_cast<int>(left) : kBlockTargets;
    likelihood_columns<Family::kNumbers>(args, start, n, &block);
    for (int i = 0; i < n; i += kDoubles) Family::at(block, i, args.dtarget != nullptr);
    run.sums[each] = sum_of(WeighedLosses{block.weight, block.loss}, n);
    run.weights[each] = sum_of(Weights{block.weight}, n);
    for (int k = 0; args.dprediction != nullptr && k < Family::kNumbers; k++) {
      float* column = args.dprediction + start * Family::kNumbers + k;
      weigh_slopes(block, block.slopes[k], n, column, Family::kNumbers);
    }
    if (args.dtarget != nullptr) weigh_slopes(block, block.target_slope, n, args.dtarget + start, 1);
  }
}

template <typename Family>
static void run_likelihood(const Context& context, LikelihoodArgs& args) {
  const int blocks = target_blocks(args.N);
  LikelihoodRun run = {&args, context.arena->take<double>(blocks), context.arena->take<double>(blocks)};
  const int threads = useful_threads(context, static_cast<double>(args.N) * Family::kCost);
  context.pool->run(threads, likelihood_share<Family>, &run);
  args.sum = 0;
  args.weight = 0;
  for (int block = 0; block < blocks; block++) {
    args.sum += run.sums[block];
    args.weight += run.weights[block];
  }
}

static void likelihood(const Context& context, Likelihood kind, LikelihoodArgs& args) {
  switch (kind) {
    case Likelihood::gaussian:
      return run_likelihood<GaussianLikelihood>(context, args);
    case Likelihood::student_t:
      return run_likelihood<StudentTLikelihood>(context, args);
    case Likelihood::negative_binomial:
      return run_likelihood<NegativeBinomialLikelihood>(context, args);
  }
}

BRICK D special_of(Special kind, D x) {
  D slope;
  switch (kind) {
    case Special::exp:
      return exp(x);
    case Special::log:
      return log(x);
    case Special::log1p:
      return log1p(x);
    case Special::softplus:
      return softplus(x, &slope);
    case Special::sigmoid:
      softplus(x, &slope);
      return slope;
    case Special::lgamma:
      return lgamma(x);
    case Special::digamma:
      return digamma(x);
    case Special::lgamma_step:
      return gamma_step(x, set(0.5)).log;
    case Special::digamma_step:
      return gamma_step(x, set(0.5)).digamma;
  }
  return x;
}

// The functions of math/special.h alone, on the calling thread.
static void special(Special kind, std::size_t n, const double* x, double* y) {
  for (std::size_t i = 0; i < n; i += kDoubles) {
    double lanes[kDoubles];
    for (std::size_t lane = 0; lane < kDoubles; lane++) lanes[lane] = i + lane < n ? x[i + lane] : 1;
    store(lanes, special_of(kind, load(lanes)));
    for (std::size_t lane = 0; lane < kDoubles && i + lane < n; lane++) y[i + lane] = lanes[lane];
  }
}

}  // namespace lstm_native::LSTM_TARGET
