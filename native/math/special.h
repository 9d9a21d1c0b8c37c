// exp, logarithms and the gamma function of a vector of doubles. Likelihoods are sums whose terms cancel: of
// a count of a million they are of size 1e7 and their sum is 10, which leaves no digit of a float. The
// largest errors stand in likelihood.h and are measured by native/test/special_test.cc, over every target.
// NaN in, NaN out.
#pragma once

namespace lstm_native::LSTM_TARGET {

// terms[0]·x^(N-1) + ... + terms[N-1]
template <int N>
BRICK D polynomial(D x, const double (&terms)[N]) {
  D sum = set(terms[0]);
  for (int n = 1; n < N; n++) sum = fma(sum, x, set(terms[n]));
  return sum;
}

// ln2 in two parts, the first with zeros at its end, so that n times it is exact.
constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;

// 1/13! to 1/2!: for |r| ≤ ln2/2 what Taylor's series leaves out is 4e-18.
constexpr double kExpTail[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                               1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                               1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};

// The operands of min and max are in the order that lets a NaN in x through.
BRICK D exp(D x) {
  const D bounded = max(set(-750.0), min(set(710.0), x));
  const D n = round(mul(bounded, set(1.4426950408889634)));
  const D r = fnma(n, set(kLn2Low), fnma(n, set(kLn2High), bounded));
  const D p = fma(mul(r, r), polynomial(r, kExpTail), r);
  return scale(add(p, set(1.0)), n);
}

// 2/21 to 2/3: for z ≤ (√2 - 1)²/(√2 + 1)² what the series leaves out is 1e-18.
constexpr double kLogTail[] = {2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13,
                               2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3};

// ln(u + c) for u ≥ 2^-1022 and a c of at most a rounding of u. With u = f·2^n and s = (f - 1)/(f + 1)
// ln f = 2·artanh(s) = 2s + 2s³/3 + ...
BRICK D log_of_sum(D u, D c) {
  D n;
  const D f = split(u, &n);
  const D above = add(sub(f, set(1.0)), scale(c, sub(set(0.0), n)));
  const D s = div(above, add(set(2.0), above)), z = mul(s, s);
  const D tail = mul(mul(s, z), polynomial(z, kLogTail));
  const D log_f = add(add(s, s), fma(n, set(kLn2Low), tail));
  // Infinity and NaN have no f.
  return select(less(u, set(HUGE_VAL)), fma(n, set(kLn2High), log_f), u);
}

// For x ≥ 2^-1022.
BRICK D log(D x) { return log_of_sum(x, set(0.0)); }

// ln(1 + x) for x ≥ 0: c is what the sum has lost, exactly.
BRICK D log1p(D x) {
  const D u = add(set(1.0), x);
  return log_of_sum(u, sub(x, sub(u, set(1.0))));
}

// ln(1 + eˣ) and its slope σ(x). An x below -300 counts as -300, so that neither ends as 0 and a quotient of
// two softplus is finite.
BRICK D softplus(D given, D* slope) {
  const D x = max(set(-300.0), given);
  const D e = exp(sub(set(0.0), abs(x)));
  *slope = div(select(less(x, set(0.0)), e, set(1.0)), add(set(1.0), e));
  return add(max(set(0.0), x), log1p(e));
}

// From here on Stirling's series with the terms below is exact to rounding.
constexpr double kStirlingFrom = 8;

// B₂ₖ / (2k·(2k - 1)) of ln Γ (DLMF 5.11.1) and B₂ₖ / 2k of ψ (DLMF 5.11.2), from k = 8 to 1.
constexpr double kStirling[] = {-3617.0 / 122400, 1.0 / 156,  -691.0 / 360360, 1.0 / 1188,
                                -1.0 / 1680,      1.0 / 1260, -1.0 / 360,      1.0 / 12};
constexpr double kDigamma[] = {-3617.0 / 8160, 1.0 / 12,  -691.0 / 32760, 1.0 / 132,
                               -1.0 / 240,     1.0 / 252, -1.0 / 120,     1.0 / 12};

// An argument where the series hold: x + 8 in place of an x below 8. Γ(x) is Γ of it divided by the product
// x·(x + 1)···(x + 7), and ψ(x) is ψ of it less the sum 1/x + ... + 1/(x + 7); 1 and 0 where x is as it was.
struct Raised {
  D x, product, sum;
};

// Raised where `deciding` is below 8.
BRICK Raised raise(D x, D deciding) {
  D product = x, slope = set(1.0);
  for (int k = 1; k < 8; k++) {
    const D factor = add(x, set(static_cast<double>(k)));
    slope = fma(slope, factor, product);
    product = mul(product, factor);
  }
  const auto low = less(deciding, set(kStirlingFrom));
  return {select(low, add(x, set(kStirlingFrom)), x), select(low, product, set(1.0)),
          select(low, div(slope, product), set(0.0))};
}

// ln Γ(x) - ((x - ½)·ln x - x + ½·ln 2π)
BRICK D stirling_rest(D x) {
  const D inverse = div(set(1.0), x);
  return mul(polynomial(mul(inverse, inverse), kStirling), inverse);
}

// ln x - ψ(x)
BRICK D digamma_rest(D x) {
  const D inverse = div(set(1.0), x), square = mul(inverse, inverse);
  return fma(square, polynomial(square, kDigamma), mul(set(0.5), inverse));
}

// ln Γ(x) for x > 0.
BRICK D lgamma(D given) {
  const Raised raised = raise(given, given);
  const D x = raised.x, rest = sub(stirling_rest(x), log(raised.product));
  return add(fma(sub(x, set(0.5)), log(x), sub(set(0.91893853320467274178), x)), rest);
}

// ψ(x) = d ln Γ(x) / dx for x > 0.
BRICK D digamma(D given) {
  const Raised raised = raise(given, given);
  return sub(sub(log(raised.x), digamma_rest(raised.x)), raised.sum);
}

// ln Γ(x + d) - ln Γ(x) and ψ(x + d) - ψ(x) for x > 0, d ≥ 0, without the cancellation of two large numbers
// where x is large.
struct GammaStep {
  D log, digamma;
};

BRICK GammaStep gamma_step(D x, D d) {
  const Raised from = raise(x, x), to = raise(add(x, d), x);
  const D growth = log1p(div(d, from.x));
  const D rest = sub(stirling_rest(to.x), stirling_rest(from.x));
  const D whole = fma(sub(from.x, set(0.5)), growth, fma(d, log(to.x), sub(rest, d)));
  const D below = sub(digamma_rest(from.x), digamma_rest(to.x));
  return {sub(whole, log(div(to.product, from.product))), add(add(growth, below), sub(from.sum, to.sum))};
}

}  // namespace lstm_native::LSTM_TARGET
