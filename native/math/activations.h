// exp, sigmoid and tanh of a vector. The largest errors, in units in the last place (ulp) against the exact
// value, stand in kernels.h and are measured by native/test and test/activations.test.ts, over every target:
//
//   exp      kExpUlp      for x in [-87.3, 88.7]; 0 below -104, infinity above 88.73
//   sigmoid  kSigmoidUlp  for x ≥ -87; 1.7e-38 below
//   tanh     kTanhUlp     everywhere; exactly ±1 from |x| ≈ 9.01
//
// The addon flushes denormals: of one, tanh is 0. NaN in, NaN out. exp(r) = 1 + r + r²·q(r) on |r| ≤ ln2/2, q
// of degree 4 by the Remez exchange, minimising the relative error of the whole (3.1e-9).
#pragma once

namespace lstm_native::LSTM_TARGET {

BRICK V exp_tail(V r) {
  V q = set(0.00138144670593f);
  q = fma(q, r, set(0.00836878041118f));
  q = fma(q, r, set(0.0416683942109f));
  q = fma(q, r, set(0.166665201078f));
  return fma(q, r, set(0.499999934125f));
}

// x = n·ln2 + r. ln2 in two parts, the first with zeros at its end, so that n·high is exact.
BRICK V reduce_range(V x, V* r) {
  const V n = round(mul(x, set(1.44269504089f)));
  V rest = fnma(n, set(0.693359375f), x);
  *r = fnma(n, set(-2.12194440e-4f), rest);
  return n;
}

// The operands of min and max are in the order that lets a NaN in x through.
BRICK V exp(V x) {
  V r;
  const V n = reduce_range(max(set(-104.0f), min(set(89.0f), x)), &r);
  const V p = fma(mul(r, r), exp_tail(r), r);
  return scale(add(p, set(1.0f)), n);
}

// exp(x) - 1 for x ≤ 0, with all its digits: 2ⁿ·(exp(r) - 1) + (2ⁿ - 1)
BRICK V exp_minus_1(V x) {
  V r;
  const V n = reduce_range(max(set(-104.0f), x), &r);
  const V p = fma(mul(r, r), exp_tail(r), r);
  const V power = scale(set(1.0f), n);
  return fma(power, p, sub(power, set(1.0f)));
}

// 1 / (1 + exp(-x))
BRICK V sigmoid(V x) {
  V r;
  const V n = reduce_range(max(set(-88.0f), min(set(87.0f), sub(zero(), x))), &r);
  const V p = fma(mul(r, r), exp_tail(r), r);
  return div(set(1.0f), add(set(1.0f), scale(add(p, set(1.0f)), n)));
}

// tanh|x| = e / (e + 2) with e = exp(2|x|) - 1 = 2ⁿ·(exp(r) - 1) + (2ⁿ - 1), which keeps the digits of small
// x.
BRICK V tanh(V x) {
  V r;
  const V magnitude = abs(x);
  const V n = reduce_range(min(set(20.0f), add(magnitude, magnitude)), &r);
  const V p = fma(mul(r, r), exp_tail(r), r);
  const V power = scale(set(1.0f), n);
  const V e = fma(power, p, sub(power, set(1.0f)));
  return copysign(div(e, add(e, set(2.0f))), x);
}

}  // namespace lstm_native::LSTM_TARGET
