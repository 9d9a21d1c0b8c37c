// The unary functions: f and f' in terms of x and y = f(x), for vectors, and what an element costs. NaN in,
// NaN out.
#pragma once

namespace lstm_native::LSTM_TARGET {

// A function of the C library on each lane, in double, so that the result is the nearest float but for rare
// ties. For functions too seldom used to have a vector form of their own.
template <double (*function)(double)>
BRICK V each_lane(V x) {
  float lanes[kWidth];
  store(lanes, x);
  for (float& lane : lanes) lane = static_cast<float>(function(lane));
  return load(lanes);
}

static double library_log(double x) { return ::log(x); }
static double normal_cumulative(double x) { return 0.5 * ::erfc(x * -0.70710678118654752440); }
static double gelu(double x) { return x * normal_cumulative(x); }
static double gelu_derivative(double x) {
  const double density = 0.39894228040143267794 * ::exp(-0.5 * x * x);
  return normal_cumulative(x) + x * density;
}
// x·σ(u) with u = 2·√(2/π)·(x + 0.044715·x³): what x/2·(1 + tanh(u/2)) is, without its loss of digits.
static double gelu_tanh_sigmoid(double x) {
  return 1 / (1 + ::exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
}
static double gelu_tanh(double x) { return x * gelu_tanh_sigmoid(x); }
static double gelu_tanh_derivative(double x) {
  const double p = gelu_tanh_sigmoid(x);
  return p + x * p * (1 - p) * 1.5957691216057308 * (1 + 0.134145 * x * x);
}
// log(1 + exp(x)) without overflow for large x or loss of digits for small.
static double library_softplus(double x) { return (x > 0 ? x : 0) + ::log1p(::exp(-::fabs(x))); }

struct Exp {
  static constexpr double kCost = kActivation;
  static BRICK_MEMBER V value(V x) { return exp(x); }
  static BRICK_MEMBER V derivative(V, V y) { return y; }
};

struct Log {
  static constexpr double kCost = kLibrary;
  static BRICK_MEMBER V value(V x) { return each_lane<library_log>(x); }
  static BRICK_MEMBER V derivative(V x, V) { return div(set(1.0f), x); }
};

struct Sigmoid {
  static constexpr double kCost = kActivation;
  static BRICK_MEMBER V value(V x) { return sigmoid(x); }
  static BRICK_MEMBER V derivative(V, V y) { return mul(y, sub(set(1.0f), y)); }
};

struct Tanh {
  static constexpr double kCost = kActivation;
  static BRICK_MEMBER V value(V x) { return tanh(x); }
  static BRICK_MEMBER V derivative(V, V y) { return fnma(y, y, set(1.0f)); }
};

struct Relu {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return max(zero(), x); }
  static BRICK_MEMBER V derivative(V x, V) { return select(less(zero(), x), set(1.0f), zero()); }
};

struct Gelu {
  static constexpr double kCost = kLibrary;
  static BRICK_MEMBER V value(V x) { return each_lane<gelu>(x); }
  static BRICK_MEMBER V derivative(V x, V) { return each_lane<gelu_derivative>(x); }
};

struct Softplus {
  static constexpr double kCost = kLibrary;
  static BRICK_MEMBER V value(V x) { return each_lane<library_softplus>(x); }
  static BRICK_MEMBER V derivative(V x, V) { return sigmoid(x); }
};

struct Square {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return mul(x, x); }
  static BRICK_MEMBER V derivative(V x, V) { return add(x, x); }
};

struct Sqrt {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return sqrt(x); }
  static BRICK_MEMBER V derivative(V, V y) { return div(set(0.5f), y); }
};

struct Abs {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return abs(x); }
  static BRICK_MEMBER V derivative(V x, V) {
    return select(less(zero(), x), set(1.0f), select(less(x, zero()), set(-1.0f), x));
  }
};

struct Negate {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return mul(set(-1.0f), x); }
  static BRICK_MEMBER V derivative(V, V) { return set(-1.0f); }
};

struct GeluTanh {
  static constexpr double kCost = kLibrary;
  static BRICK_MEMBER V value(V x) { return each_lane<gelu_tanh>(x); }
  static BRICK_MEMBER V derivative(V x, V) { return each_lane<gelu_tanh_derivative>(x); }
};

// The operands of min and max are in the order that lets a NaN in x through.
BRICK V clamp(V x, float low, float high) { return min(set(high), max(set(low), x)); }

// `inside` where low < x < high, else 0.
BRICK V between(V x, float low, float high, V inside) {
  return select(less(set(low), x), select(less(x, set(high)), inside, zero()), zero());
}

struct Relu6 {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return clamp(x, 0, 6); }
  static BRICK_MEMBER V derivative(V x, V) { return between(x, 0, 6, set(1.0f)); }
};

struct LeakyRelu {
  static constexpr double kCost = kCheap;
  V alpha;
  BRICK_MEMBER V value(V x) const { return select(less(x, zero()), mul(alpha, x), x); }
  BRICK_MEMBER V derivative(V x, V) const { return select(less(x, zero()), alpha, set(1.0f)); }
};

struct Elu {
  static constexpr double kCost = kActivation;
  V alpha;
  BRICK_MEMBER V value(V x) const { return select(less(x, zero()), mul(alpha, expm1(x)), x); }
  BRICK_MEMBER V derivative(V x, V y) const { return select(less(x, zero()), add(y, alpha), set(1.0f)); }
};

// The fixed point of Klambauer et al. 2017.
struct Selu {
  static constexpr double kCost = kActivation;
  static constexpr float kScale = 1.0507009873554805f, kDepth = 1.0507009873554805f * 1.6732632423543772f;
  static BRICK_MEMBER V value(V x) {
    return select(less(x, zero()), mul(set(kDepth), expm1(x)), mul(set(kScale), x));
  }
  static BRICK_MEMBER V derivative(V x, V y) {
    return select(less(x, zero()), add(y, set(kDepth)), set(kScale));
  }
};

struct Softsign {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return div(x, add(set(1.0f), abs(x))); }
  static BRICK_MEMBER V derivative(V x, V) {
    const V rest = div(set(1.0f), add(set(1.0f), abs(x)));
    return mul(rest, rest);
  }
};

struct HardSigmoid {
  static constexpr double kCost = kCheap;
  V alpha, beta;
  BRICK_MEMBER V value(V x) const { return clamp(fma(alpha, x, beta), 0, 1); }
  BRICK_MEMBER V derivative(V, V y) const { return between(y, 0, 1, alpha); }
};

struct Silu {
  static constexpr double kCost = kActivation;
  static BRICK_MEMBER V value(V x) { return mul(x, sigmoid(x)); }
  static BRICK_MEMBER V derivative(V x, V) {
    // 1 - p by subtraction would lose its digits, which x makes large.
    const V p = sigmoid(x);
    return fma(mul(x, p), sigmoid(sub(zero(), x)), p);
  }
};

// x·min(max(x + 3, 0), 6) / 6: the sum is exact where it cancels.
struct HardSilu {
  static constexpr double kCost = kCheap;
  static BRICK_MEMBER V value(V x) { return div(mul(x, clamp(add(x, set(3.0f)), 0, 6)), set(6.0f)); }
  static BRICK_MEMBER V derivative(V x, V) {
    const V inside = between(x, -3, 3, fma(x, set(1.0f / 3), set(0.5f)));
    return select(less(x, set(3.0f)), inside, set(1.0f));
  }
};

// tanh(ln(1 + e)) = w / (w + 2) with e = exp(x) and w = e² + 2e; from x = 20 on it is 1.
struct Mish {
  static constexpr double kCost = kActivation;
  static BRICK_MEMBER V excess(V x) {
    const V e = exp(min(set(20.0f), x));
    return mul(e, add(e, set(2.0f)));
  }
  static BRICK_MEMBER V value(V x) {
    const V w = excess(x);
    return mul(x, div(w, add(w, set(2.0f))));
  }
  static BRICK_MEMBER V derivative(V x, V) {
    const V w = excess(x), divisor = add(w, set(2.0f));
    const V slope_of_tanh = div(mul(set(4.0f), add(w, set(1.0f))), mul(divisor, divisor));  // 1 - tanh²
    return fma(mul(x, slope_of_tanh), sigmoid(x), div(w, divisor));
  }
};

}  // namespace lstm_native::LSTM_TARGET
