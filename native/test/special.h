// The gamma function's relatives in extended precision, for what the C++ library lacks.
#pragma once
#include <cmath>

namespace lstm_native::test {

// From here on five terms of Stirling's series leave out 1e-20.
constexpr long double kSeriesFrom = 100;
constexpr long double kSeries[] = {1.0L / 12, -1.0L / 360, 1.0L / 1260, -1.0L / 1680, 1.0L / 1188};

// ln Γ(x) - ((x - ½)·ln x - x + ½·ln 2π)
inline long double exact_stirling_rest(long double x) {
  long double sum = 0, power = x;
  for (long double term : kSeries) {
    sum += term / power;
    power *= x * x;
  }
  return sum;
}

inline long double exact_digamma(long double x) {
  long double below = 0;
  for (; x < kSeriesFrom; x++) below += 1 / x;
  long double rest = 1 / (2 * x), power = x * x;
  for (int k = 0; k < 5; k++) {
    rest += (2 * k + 1) * kSeries[k] / power;
    power *= x * x;
  }
  return std::log(x) - rest - below;
}

// ln Γ(x + d) - ln Γ(x); of large x by terms that do not cancel.
inline long double exact_gamma_step(long double x, long double d) {
  const long double y = x + d;
  if (x < kSeriesFrom) return std::lgamma(y) - std::lgamma(x);
  return (x - 0.5L) * std::log1p(d / x) + d * std::log(y) - d + exact_stirling_rest(y) -
         exact_stirling_rest(x);
}

// ln(1 + eˣ), with the bound that contract-likelihood.ts gives it.
inline long double exact_softplus(long double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(std::fmax(x, -300.0L)));
}

}  // namespace lstm_native::test
