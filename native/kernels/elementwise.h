// Elements one by one, their sums, and optimizers: what the kernels are told.
#pragma once
#include <cstddef>

namespace lstm_native {

enum class Unary {
  exp,
  log,
  sigmoid,
  tanh,
  relu,
  gelu,
  softplus,
  square,
  sqrt,
  abs,
  negate,
  gelu_tanh,
  relu6,
  selu,
  softsign,
  silu,
  hard_silu,
  mish,
  leaky_relu,
  elu,
  hard_sigmoid
};
enum class Binary { add, subtract, multiply, divide, maximum, minimum };
enum class Reduction { sum, max_abs };

// An array, for kernels that take several.
struct Span {
  const float* x;
  std::size_t n;
};

// The numbers in a function's formula, where it has any.
struct UnaryNumbers {
  float alpha, beta;
};

struct UnaryBackwardArgs {
  std::size_t n;
  const float* x;
  const float* y;
  const float* dy;
  float* dx;
  UnaryNumbers numbers;
};

struct SgdArgs {
  std::size_t n;
  float* weight;
  const float* gradient;
  float* velocity;  // may be null
  double learning_rate, momentum, weight_decay, gradient_scale;
  bool nesterov;
};

struct RmspropArgs {
  std::size_t n;
  float* weight;
  const float* gradient;
  float* square_average;
  float* velocity;  // may be null
  double learning_rate, alpha, eps, momentum, weight_decay, gradient_scale;
};

struct AdamArgs {
  std::size_t n;
  float* weight;
  const float* gradient;
  float* moment1;
  float* moment2;
  int step;
  double learning_rate, beta1, beta2, eps, weight_decay, gradient_scale;
  bool decoupled;
};

}  // namespace lstm_native
