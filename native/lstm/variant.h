// The LSTM with other functions than sigmoid and tanh, bounds for their sums and coupled gates. Chosen once a
// tile of the forward pass and once a row of the backward pass, in functions of their own: the standard cell
// pays nothing for it.
#pragma once

namespace lstm_native::LSTM_TARGET {

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
      return Softsign::value(x);
    case Activation::silu:
      return Silu::value(x);
    case Activation::mish:
      return Mish::value(x);
    case Activation::selu:
      return Selu::value(x);
    case Activation::elu:
      return Elu{alpha}.value(x);
    case Activation::affine:
      return fma(alpha, x, beta);
    case Activation::leaky_relu:
      return LeakyRelu{alpha}.value(x);
    case Activation::thresholded_relu:
      return select(less(x, alpha), zero(), x);
    case Activation::scaled_tanh:
      return mul(alpha, tanh(mul(beta, x)));
    case Activation::hard_sigmoid:
      return HardSigmoid{alpha, beta}.value(x);
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
      return Softsign::derivative(x, y);
    case Activation::silu:
      return Silu::derivative(x, y);
    case Activation::mish:
      return Mish::derivative(x, y);
    case Activation::selu:
      return Selu::derivative(x, y);
    case Activation::elu:
      return Elu{alpha}.derivative(x, y);
    case Activation::affine:
      return alpha;
    case Activation::leaky_relu:
      return LeakyRelu{alpha}.derivative(x, y);
    case Activation::thresholded_relu:
      return select(less(x, alpha), zero(), one);
    case Activation::scaled_tanh: {
      const V t = tanh(mul(beta, x));
      return mul(mul(alpha, beta), fnma(t, t, one));
    }
    case Activation::hard_sigmoid:
      return HardSigmoid{alpha, beta}.derivative(x, y);
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
