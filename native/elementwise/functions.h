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
// log(1 + exp(x)) without overflow for large x or loss of digits for small.
static double softplus(double x) { return (x > 0 ? x : 0) + ::log1p(::exp(-::fabs(x))); }

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
  static BRICK_MEMBER V value(V x) { return each_lane<softplus>(x); }
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

}  // namespace lstm_native::LSTM_TARGET
