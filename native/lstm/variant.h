// The LSTM with other functions than sigmoid and tanh, bounds for their sums and coupled gates. Chosen once a
// tile of the forward pass and once a row of the backward pass, in functions of their own: the standard cell
// pays nothing for it.
#pragma once

namespace lstm_native::LSTM_TARGET {

constexpr float kSeluScale = 1.0507009873554805f, kSeluAlpha = 1.6732632423543772f;

// tanh(ln(1 + exp(x))) = (e² + 2e) / (e² + 2e + 2), e = exp(x); 1 from x = 20 on
BRICK V mish_gate(V x) {
  const V e = exp(min(set(20.0f), x));
  const V w = mul(e, add(e, set(2.0f)));
  return div(w, add(w, set(2.0f)));
}

BRICK V softsign_divisor(V x) { return add(set(1.0f), abs(x)); }

NOINLINE V activate(const LstmActivation& function, V x) {
  const V alpha = set(function.alpha), beta = set(function.beta);
  switch (function.kind) {
    case Activation::linear:
      return x;
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::relu:
      return Relu::value(x);
    case Activation::softplus:
      return Softplus::value(x);
    case Activation::gelu:
      return Gelu::value(x);
    case Activation::exponential:
      return exp(x);
    case Activation::softsign:
      return div(x, softsign_divisor(x));
    case Activation::silu:
      return div(x, add(set(1.0f), exp(sub(zero(), x))));
    case Activation::mish:
      return mul(x, mish_gate(x));
    case Activation::selu:
      return mul(set(kSeluScale), select(less(x, zero()), mul(set(kSeluAlpha), expm1(x)), x));
    case Activation::elu:
      return select(less(x, zero()), mul(alpha, expm1(x)), x);
    case Activation::affine:
      return fma(alpha, x, beta);
    case Activation::leaky_relu:
      return select(less(x, zero()), mul(alpha, x), x);
    case Activation::thresholded_relu:
      return select(less(x, alpha), zero(), x);
    case Activation::scaled_tanh:
      return mul(alpha, tanh(mul(beta, x)));
    case Activation::hard_sigmoid:
      return max(zero(), min(set(1.0f), fma(alpha, x, beta)));
  }
  return x;
}

// f'(x), from x and y = f(x).
NOINLINE V activation_slope(const LstmActivation& function, V x, V y) {
  const V one = set(1.0f), alpha = set(function.alpha), beta = set(function.beta);
  switch (function.kind) {
    case Activation::linear:
      return one;
    case Activation::sigmoid:
      return mul(y, sub(one, y));
    case Activation::tanh:
      return fnma(y, y, one);
    case Activation::relu:
      return Relu::derivative(x, y);
    case Activation::softplus:
      return sigmoid(x);
    case Activation::gelu:
      return Gelu::derivative(x, y);
    case Activation::exponential:
      return y;
    case Activation::softsign:
      return div(one, mul(softsign_divisor(x), softsign_divisor(x)));
    case Activation::silu: {
      const V s = sigmoid(x);
      return fma(mul(x, s), sub(one, s), s);
    }
    case Activation::mish: {
      const V t = mish_gate(x);
      return fma(mul(x, fnma(t, t, one)), sigmoid(x), t);
    }
    case Activation::selu:
      return select(less(x, zero()), add(y, set(kSeluScale * kSeluAlpha)), set(kSeluScale));
    case Activation::elu:
      return select(less(x, zero()), add(y, alpha), one);
    case Activation::affine:
      return alpha;
    case Activation::leaky_relu:
      return select(less(x, zero()), alpha, one);
    case Activation::thresholded_relu:
      return select(less(x, alpha), zero(), one);
    case Activation::scaled_tanh: {
      const V t = tanh(mul(beta, x));
      return mul(mul(alpha, beta), fnma(t, t, one));
    }
    case Activation::hard_sigmoid:
      return select(less(zero(), y), select(less(y, one), alpha, zero()), zero());
  }
  return one;
}

// What Standard is in pointwise.h. The slopes of many of these functions do not follow from their values, so
// the sums are kept.
struct Varied {
  const LstmVariant& variant;

  BRICK_MEMBER V bounded(V sum) const { return max(set(-variant.clip), min(set(variant.clip), sum)); }
  BRICK_MEMBER V gate(V sum) const { return activate(variant.gate, bounded(sum)); }
  BRICK_MEMBER V forget(V sum, V i) const { return variant.coupled ? sub(set(1.0f), i) : gate(sum); }
  BRICK_MEMBER V candidate(V sum) const { return activate(variant.cell, bounded(sum)); }
  BRICK_MEMBER V output(V cell) const { return activate(variant.output, cell); }

  BRICK_MEMBER V kept(V sum, V) const { return sum; }
  BRICK_MEMBER V kept_gate(V sum) const { return gate(sum); }
  BRICK_MEMBER V kept_forget(V sum, V i) const { return forget(sum, i); }
  BRICK_MEMBER V kept_candidate(V sum) const { return candidate(sum); }

  BRICK_MEMBER V bounded_slope(const LstmActivation& function, V sum, V y) const {
    return select(less(set(variant.clip), abs(sum)), zero(), activation_slope(function, sum, y));
  }
  BRICK_MEMBER V gate_slope(const float* sums, int lanes, V y) const {
    return bounded_slope(variant.gate, load(sums, lanes), y);
  }
  BRICK_MEMBER V candidate_slope(const float* sums, int lanes, V y) const {
    return bounded_slope(variant.cell, load(sums, lanes), y);
  }
  BRICK_MEMBER V output_slope(V cell, V y) const { return activation_slope(variant.output, cell, y); }
  BRICK_MEMBER bool coupled() const { return variant.coupled; }
  // These functions need not be 0 at 0, and what grows in lanes that stand for no unit may end as NaN.
  BRICK_MEMBER V only(V cell, int n) const {
    float lanes[kWidth];
    store(lanes, cell);
    return load(lanes, n);
  }
};

}  // namespace lstm_native::LSTM_TARGET
