// What the kernels of likelihoods take, and what their functions promise: included by kernels.h.
#pragma once

namespace lstm_native {

enum class Likelihood { gaussian, student_t, negative_binomial };

// Rows of predicted numbers and their targets; lib/kernels/contract-likelihood.ts.
struct LikelihoodArgs {
  int N;
  const float* prediction;  // [N, 2], or 3 of student_t
  const float* target;      // NaN: does not count
  const float* scale;       // of negative_binomial, and null: 1
  const float* mask;        // weights; null: 1
  float* dprediction;       // may be null
  float* dtarget;           // may be null
  double sum, weight;       // results
};

// The functions of native/math/special.h; the steps are those from x to x + ½.
enum class Special { exp, log, log1p, softplus, sigmoid, lgamma, digamma, lgamma_step, digamma_step };

// Their largest errors on any target, in units of 2^-53 of the value, or for the gamma function's of 1 where
// the value is smaller: where likelihoods add it to others.
constexpr double kSpecialErrors[] = {1.5, 3, 3.2, 3.9, 3.1, 90, 28, 17, 36};

}  // namespace lstm_native
