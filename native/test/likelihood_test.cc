// The likelihoods of distribution heads on every target against extended precision.
#include <algorithm>
#include <limits>

#include "check.h"
#include "special.h"

namespace lstm_native::test {

namespace {
constexpr int kSizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1000};
constexpr Likelihood kKinds[] = {Likelihood::gaussian, Likelihood::student_t, Likelihood::negative_binomial};
const char* const kNames[] = {"gaussian", "studentT", "negativeBinomial"};
using Real = long double;

int numbers_of(Likelihood kind) { return kind == Likelihood::student_t ? 3 : 2; }

// -ln p of one target, as the definition has it.
Real loss_of(Likelihood kind, const Real* row, Real target, Real scale) {
  const Real difference = target - row[0];
  if (kind == Likelihood::gaussian) return (row[1] + difference * difference * std::exp(-row[1])) / 2;
  if (kind == Likelihood::student_t) {
    const Real freedom = 2 + exact_softplus(row[2]);
    return (std::log(freedom * std::acos(-1.0L)) + row[1]) / 2 - exact_gamma_step(freedom / 2, 0.5L) +
           (freedom + 1) / 2 * std::log1p(difference * difference * std::exp(-row[1]) / freedom);
  }
  const Real mean = scale * exact_softplus(row[0]), r = std::sqrt(scale) / exact_softplus(row[1]);
  return std::lgamma(target + 1) - exact_gamma_step(r, target) + r * std::log1p(mean / r) +
         target * std::log1p(r / mean);
}

// ∂loss/∂x by central differences, with x one of the row's numbers or (at: past them) the target. In extended
// precision the step's square and the rounding leave some 1e-12 of the loss.
Real slope_of(Likelihood kind, const Real* row, Real target, Real scale, int at) {
  const Real step = 1e-6L;
  Real sums[2];
  for (int side = 0; side < 2; side++) {
    Real moved[4] = {row[0], row[1], numbers_of(kind) == 3 ? row[2] : 0, 0};
    Real moved_target = target;
    (at == numbers_of(kind) ? moved_target : moved[at]) += side == 0 ? step : -step;
    sums[side] = loss_of(kind, moved, moved_target, scale);
  }
  return (sums[0] - sums[1]) / (2 * step);
}

// A call's arrays, of exactly the size they must have, so that a sanitizer sees what reads beyond.
struct Problem {
  Likelihood kind;
  int N;
  Floats prediction, target, scale, mask;
  bool scaled = false, masked = false;

  Problem(Likelihood family, int n, Random& random)
      : kind(family),
        N(n),
        prediction(random.numbers(static_cast<std::size_t>(n) * numbers_of(family))),
        target(random.numbers(n)),
        scale(random.numbers(n)),
        mask(n) {
    for (float& each : prediction) each *= 3;
    for (float& each : scale) each = 0.2f + 5 * each * each;
    for (float& each : target)
      each = family == Likelihood::negative_binomial ? std::floor(40 * each * each) : 4 * each;
    for (float& each : mask) each = random.below(3) == 0 ? 0 : random.below(2) == 0 ? 1 : 0.25f;
  }

  struct Result {
    double sum, weight;
    Floats dprediction, dtarget;
  };

  Result run(const Kernels* kernels, Machine& machine, bool gradients = true) const {
    Result result = {};
    // Overwritten, not added to.
    if (gradients) result.dprediction.assign(prediction.size(), 7);
    if (gradients) result.dtarget.assign(target.size(), 7);
    LikelihoodArgs args = {};
    args.N = N;
    args.prediction = prediction.data();
    args.target = target.data();
    args.scale = scaled ? scale.data() : nullptr;
    args.mask = masked ? mask.data() : nullptr;
    args.dprediction = gradients ? result.dprediction.data() : nullptr;
    args.dtarget = gradients ? result.dtarget.data() : nullptr;
    kernels->likelihood(machine.context(), kind, args);
    result.sum = args.sum;
    result.weight = args.weight;
    return result;
  }
};

const char* name_of(Likelihood kind) { return kNames[static_cast<int>(kind)]; }

void check_against_definition(const Kernels* kernels, Machine& machine, const Problem& p) {
  const int numbers = numbers_of(p.kind);
  std::vector<double> slopes(p.prediction.size()), target_slopes(p.N);
  Real sum = 0, weight = 0, magnitudes = 0;
  for (int n = 0; n < p.N; n++) {
    const Real own = p.masked ? p.mask[n] : 1, nu = p.scaled ? p.scale[n] : 1;
    if (own == 0 || std::isnan(p.target[n])) continue;
    Real row[3] = {};
    std::copy_n(p.prediction.data() + n * numbers, numbers, row);
    const Real loss = own * loss_of(p.kind, row, p.target[n], nu);
    sum += loss;
    magnitudes += std::fabs(loss);
    weight += own;
    for (int k = 0; k < numbers; k++)
      slopes[n * numbers + k] = static_cast<double>(own * slope_of(p.kind, row, p.target[n], nu, k));
    target_slopes[n] = static_cast<double>(own * slope_of(p.kind, row, p.target[n], nu, numbers));
  }
  const Problem::Result result = p.run(kernels, machine);
  const char* name = name_of(p.kind);
  expect(std::fabs(result.sum - sum) <= 1e-13L * magnitudes, "%s: %s of %d: %.17g, expected %.17g",
         kernels->name, name, p.N, result.sum, static_cast<double>(sum));
  expect(std::fabs(result.weight - weight) <= 1e-13L * weight, "%s: %s of %d: weight %.17g", kernels->name,
         name, p.N, result.weight);
  // The rounding of the gradients, and a little for that of the differences.
  const double error = norm_error(result.dprediction, slopes);
  expect(error <= 1.1 * 0x1p-24, "%s: slopes of %s of %d are off by %.2g", kernels->name, name, p.N, error);
  const double target_error = norm_error(result.dtarget, target_slopes);
  expect(target_error <= 1.1 * 0x1p-24, "%s: target's slopes of %s of %d are off by %.2g", kernels->name,
         name, p.N, target_error);
  const Problem::Result alone = p.run(kernels, machine, false);
  expect(alone.sum == result.sum && alone.weight == result.weight, "%s: %s of %d differs without gradients",
         kernels->name, name, p.N);
}
}  // namespace

TEST("likelihoods and their gradients are those of the definition, with masks, scales and missing targets") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (Likelihood kind : kKinds) {
      for (int size : kSizes) {
        Random random(static_cast<std::uint64_t>(size));
        Problem p(kind, size, random);
        check_against_definition(kernels, machine, p);
        p.masked = true;
        p.scaled = kind == Likelihood::negative_binomial;
        for (int n = 0; n < size; n += 5) p.target[n] = std::nanf("");
        check_against_definition(kernels, machine, p);
      }
    }
  }
}

TEST("likelihoods of counts from 0 to a million, and of numbers far out, are those of the definition") {
  constexpr float kCounts[] = {0, 1, 2, 9, 100, 12345, 1e6f};
  constexpr float kRaw[] = {-80, -20, -5, 0, 5, 20, 300, 1e6f};
  constexpr float kFar[] = {-40, -3, 0, 3, 40};
  Machine machine;
  for (const Kernels* kernels : targets()) {
    for (Likelihood kind : kKinds) {
      const bool counts = kind == Likelihood::negative_binomial;
      Random random(1);
      for (float first : kRaw) {
        for (float second : kRaw) {
          Problem p(kind, counts ? 7 : 5, random);
          for (int n = 0; n < p.N; n++) {
            float* row = p.prediction.data() + n * numbers_of(kind);
            row[0] = first;
            row[1] = counts ? second : kFar[n];
            if (kind == Likelihood::student_t) row[2] = second;
            p.target[n] = counts ? kCounts[n] : first + kFar[(n * 3) % 5];
          }
          for (int n = 0; n < p.N; n++) {
            Problem one(kind, 1, random);
            const int numbers = numbers_of(kind);
            one.prediction.assign(p.prediction.begin() + n * numbers,
                                  p.prediction.begin() + (n + 1) * numbers);
            one.target[0] = p.target[n];
            Real row[3] = {};
            std::copy_n(one.prediction.data(), numbers, row);
            const Real truth = loss_of(kind, row, one.target[0], 1);
            const Problem::Result result = one.run(kernels, machine);
            // Terms that cancel: of the size of the count times its logarithm, or that of r and of 1/μ.
            const Real terms = std::fabs(truth) + 1 + (counts ? one.target[0] * 200 : 0);
            expect(std::fabs(result.sum - truth) <= 2e-15L * terms,
                   "%s: %s of (%g, %g) at %g: %.12g, expected %.12g", kernels->name, name_of(kind), first,
                   static_cast<double>(row[1]), static_cast<double>(one.target[0]), result.sum,
                   static_cast<double>(truth));
            for (float slope : result.dprediction)
              expect(std::isfinite(slope), "%s: %s of (%g, %g): a slope of %g", kernels->name, name_of(kind),
                     first, second, slope);
          }
        }
      }
    }
  }
}

TEST("likelihoods hide no infinity and no NaN, and let none into what stands beside it") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  Machine machine;
  for (const Kernels* kernels : targets()) {
    for (Likelihood kind : kKinds) {
      const int numbers = numbers_of(kind);
      for (float odd : {infinity, -infinity, nan}) {
        // The places of a row, and past them the target, which is missing when it is NaN, and the scale.
        for (int place = 0; place < numbers + 2; place++) {
          if (place == numbers && std::isnan(odd)) continue;
          if (place == numbers + 1 && kind != Likelihood::negative_binomial) continue;
          Random random(3);
          Problem p(kind, 19, random);
          p.scaled = kind == Likelihood::negative_binomial;
          const double expected = p.run(kernels, machine).sum;
          const auto at = [&](int n) -> float& {
            if (place < numbers) return p.prediction[n * numbers + place];
            return place == numbers ? p.target[n] : p.scale[n];
          };
          at(11) = odd;
          const Problem::Result result = p.run(kernels, machine);
          expect(std::isnan(result.sum), "%s: %s: sum %g with %g at place %d", kernels->name, name_of(kind),
                 result.sum, odd, place);
          for (int i = 0; i < 19 * numbers; i++) {
            expect(std::isnan(result.dprediction[i]) == (i / numbers == 11),
                   "%s: %s: slope %d is %g with %g at place %d", kernels->name, name_of(kind), i,
                   result.dprediction[i], odd, place);
          }
          // What does not count may be anything.
          p.masked = true;
          std::fill(p.mask.begin(), p.mask.end(), 1.0f);
          p.mask[11] = 0;
          const Problem::Result without = p.run(kernels, machine);
          expect(std::isfinite(without.sum) && without.weight == 18 && without.sum != expected,
                 "%s: %s: sum %g, weight %g without the odd one", kernels->name, name_of(kind), without.sum,
                 without.weight);
          for (int k = 0; k < numbers; k++)
            expect(without.dprediction[11 * numbers + k] == 0, "%s: %s: a slope of what does not count",
                   kernels->name, name_of(kind));
        }
      }
    }
  }
}

TEST("likelihoods have the same bits on any number of threads and wherever a target stands") {
  for (const Kernels* kernels : targets()) {
    for (Likelihood kind : kKinds) {
      Random random(9);
      Problem p(kind, 60'000, random);
      p.masked = true;
      Machine one(1);
      const Problem::Result alone = p.run(kernels, one);
      for (int threads : {2, 3, 4}) {
        Machine machine(threads);
        const Problem::Result shared = p.run(kernels, machine);
        expect(shared.sum == alone.sum && shared.weight == alone.weight &&
                   same_bits(shared.dprediction, alone.dprediction) &&
                   same_bits(shared.dtarget, alone.dtarget),
               "%s: %s differs on %d threads", kernels->name, name_of(kind), threads);
      }
      const int numbers = numbers_of(kind);
      for (int start : {1, 7, 59'990}) {
        Problem part(kind, 60'000 - start, random);
        part.masked = true;
        part.prediction.assign(p.prediction.begin() + start * numbers, p.prediction.end());
        part.target.assign(p.target.begin() + start, p.target.end());
        part.mask.assign(p.mask.begin() + start, p.mask.end());
        const Floats expected(alone.dprediction.begin() + start * numbers, alone.dprediction.end());
        expect(same_bits(part.run(kernels, one).dprediction, expected), "%s: %s from %d on has other bits",
               kernels->name, name_of(kind), start);
      }
    }
  }
}

}  // namespace lstm_native::test
