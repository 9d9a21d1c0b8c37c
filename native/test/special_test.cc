// The largest errors of the functions of native/math/special.h, over doubles of every size in their domain,
// against extended precision. The bounds are those that native/likelihood.h states.
#include "special.h"

#include <cfloat>
#include <limits>

#include "check.h"

namespace lstm_native::test {

namespace {
using Doubles = std::vector<double>;

long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }

long double exact(Special kind, long double x) {
  switch (kind) {
    case Special::exp:
      return std::exp(x);
    case Special::log:
      return std::log(x);
    case Special::log1p:
      return std::log1p(x);
    case Special::softplus:
      return exact_softplus(x);
    case Special::sigmoid:
      return logistic(x);
    case Special::lgamma:
      return std::lgamma(x);
    case Special::digamma:
      return exact_digamma(x);
    case Special::lgamma_step:
      return exact_gamma_step(x, 0.5L);
    case Special::digamma_step:
      return exact_digamma(x + 0.5L) - exact_digamma(x);
  }
  return 0;
}

Doubles values_of(const Kernels& kernels, Special kind, const Doubles& x) {
  Doubles y(x.size());
  kernels.special(kind, x.size(), x.data(), y.data());
  return y;
}

std::uint64_t bits_of(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// Doubles of [low, high] for 0 < low: every exponent gets its share, and the last bits are random.
Doubles every_size(double low, double high) {
  const std::uint64_t first = bits_of(low), last = bits_of(high);
  const std::uint64_t count = exhaustive() ? 4'000'000 : 40'000, stride = (last - first) / count;
  Random random(7);
  Doubles found;
  for (std::uint64_t at = first; at < last - stride; at += stride) {
    const std::uint64_t bits =
        at + ((static_cast<std::uint64_t>(random.bits()) << 20) + random.bits()) % stride;
    double x;
    std::memcpy(&x, &bits, sizeof x);
    found.push_back(x);
  }
  return found;
}

struct Domain {
  Special kind;
  const char* name;
  double low, high;
  bool negative;  // -x too, for these
  bool absolute;  // below 1 in value the error is absolute: the function passes 0, or is a difference
};

const Domain kDomains[] = {
    {Special::exp, "exp", 1e-20, 708, true, false},
    {Special::log, "log", 1e-300, 1e300, false, false},
    {Special::log1p, "log1p", 1e-300, 1e300, false, false},
    {Special::softplus, "softplus", 1e-20, 300, true, false},
    {Special::sigmoid, "sigmoid", 1e-20, 300, true, false},
    {Special::lgamma, "lgamma", 1e-130, 1e30, false, true},
    {Special::digamma, "digamma", 1e-130, 1e30, false, true},
    {Special::lgamma_step, "lgamma's step", 1e-60, 1e38, false, true},
    {Special::digamma_step, "digamma's step", 1e-60, 1e38, false, true},
};
}  // namespace

TEST("exp, logarithms and the gamma function in double stay within their stated errors") {
  for (const Domain& domain : kDomains) {
    Doubles x = every_size(domain.low, domain.high);
    // Where the arguments of the likelihoods are dense: no exponent of theirs is.
    const Doubles middle = every_size(domain.low < 0.25 ? 0.25 : domain.low, 64);
    x.insert(x.end(), middle.begin(), middle.end());
    for (std::size_t i = 0; domain.negative && i < x.size(); i += 2) x[i] = -x[i];
    std::vector<long double> truth;
    for (double each : x) truth.push_back(exact(domain.kind, each));
    for (const Kernels* kernels : targets()) {
      const Doubles y = values_of(*kernels, domain.kind, x);
      const double bound = kSpecialErrors[static_cast<int>(domain.kind)];
      double worst = 0;
      std::size_t at = 0;
      for (std::size_t i = 0; i < x.size(); i++) {
        const long double size = std::fabs(truth[i]);
        const long double whole = domain.absolute && size < 1 ? 1 : size;
        const double error = static_cast<double>(std::fabs(y[i] - truth[i]) / whole * 0x1p53L);
        if (!(error <= worst)) worst = error, at = i;
      }
      std::printf("      %-7s %-14s largest error %.2f units, at %.17g (stated: %.1f)\n", kernels->name,
                  domain.name, worst, x[at], bound);
      expect(worst <= bound, "%s: %s(%.17g) = %.17g is off by %.2f units of 2^-53, stated: %.1f",
             kernels->name, domain.name, x[at], y[at], worst, bound);
    }
  }
}

TEST("exp, logarithms and softplus in double end where they should") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const double least = static_cast<double>(std::exp(-300.0L));
  for (const Kernels* kernels : targets()) {
    const auto is = [&](Special kind, double x, double y) {
      // 19 at once, so that the same input stands in every lane and in the rest.
      for (double actual : values_of(*kernels, kind, Doubles(19, x))) {
        const bool equal = std::fabs(actual - y) <= 4 * DBL_EPSILON * std::fabs(y);
        expect(actual == y || equal || (std::isnan(actual) && std::isnan(y)),
               "%s: function %d of %g is %.17g, not %.17g", kernels->name, static_cast<int>(kind), x, actual,
               y);
      }
    };
    is(Special::exp, -infinity, 0);
    is(Special::exp, -800, 0);
    is(Special::exp, 0, 1);
    is(Special::exp, 710, infinity);
    is(Special::exp, infinity, infinity);
    is(Special::log, DBL_MIN, static_cast<double>(std::log(static_cast<long double>(DBL_MIN))));
    is(Special::log, 1, 0);
    is(Special::log, infinity, infinity);
    is(Special::log1p, 0, 0);
    is(Special::log1p, DBL_MAX, static_cast<double>(std::log(static_cast<long double>(DBL_MAX))));
    is(Special::log1p, infinity, infinity);
    for (double x : {-300.0, -1e4, -3e38, -infinity}) {
      is(Special::softplus, x, least);
      is(Special::sigmoid, x, least);
    }
    is(Special::softplus, 3e38, 3e38);
    is(Special::softplus, infinity, infinity);
    is(Special::sigmoid, infinity, 1);
    for (const Domain& domain : kDomains) is(domain.kind, nan, nan);
  }
}

}  // namespace lstm_native::test
