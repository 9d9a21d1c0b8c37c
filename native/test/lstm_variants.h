// Cells that are not the standard one, and their functions in double precision.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "../kernels.h"

namespace lstm_native::test {

constexpr float kNoClip = std::numeric_limits<float>::infinity();
inline const LstmVariant kVariants[] = {
    {{Activation::sigmoid, 0, 0}, {Activation::tanh, 0, 0}, {Activation::tanh, 0, 0}, kNoClip, false},
    {{Activation::hard_sigmoid, 0.25f, 0.45f},
     {Activation::affine, 0.4f, 0.3f},
     {Activation::softplus, 0, 0},
     kNoClip,
     false},
    {{Activation::sigmoid, 0, 0}, {Activation::softsign, 0, 0}, {Activation::tanh, 0, 0}, 0.75f, true},
    {{Activation::silu, 0, 0}, {Activation::elu, 0.5f, 0}, {Activation::mish, 0, 0}, 2, false}};

inline double apply(const LstmActivation& function, double x) {
  switch (function.kind) {
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::hard_sigmoid:
      return std::min(1.0, std::max(0.0, function.alpha * x + function.beta));
    case Activation::affine:
      return function.alpha * x + function.beta;
    case Activation::softplus:
      return std::log1p(std::exp(x));
    case Activation::softsign:
      return x / (1 + std::fabs(x));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::elu:
      return x < 0 ? function.alpha * std::expm1(x) : x;
    case Activation::mish:
      return x * std::tanh(std::log1p(std::exp(x)));
    default:
      return std::nan("");
  }
}

}  // namespace lstm_native::test
