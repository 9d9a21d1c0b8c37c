// Rows that are normalised, or become probabilities and losses: what the kernels are told.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lstm_native {

struct LayerNormArgs {
  int N, F;
  const float* x;
  const float* gain;   // may be null
  const float* shift;  // may be null
  float eps;
  float* y;
  float* mean;
  float* rstd;
  const float* dy;
  float* dx;
  float* dgain;
  float* dshift;
};

// Each channel over the rows that count; lib/kernels/contract-batch-norm.ts.
struct BatchNormArgs {
  int N, C;
  const std::uint8_t* mask;  // [N] or null
  const float* x;
  float* mean;         // [C], results of the statistics; null: 0
  float* variance;     // likewise; null: x is not divided
  const float* gain;   // may be null
  const float* shift;  // may be null
  float eps;
  float* y;
  // Backward only; any of the gradients may be null.
  bool of_batch;
  const float* dy;
  float* dx;
  float* dgain;
  float* dshift;
};

struct SoftmaxArgs {
  int N, C;
  bool log;
  const float* x;
  float* y;
  const float* dy;
  float* dx;
};

struct CrossEntropyArgs {
  int N, C;
  const float* logits;
  const std::int32_t* targets;
  const float* class_weights;  // may be null
  std::int32_t ignore_index;
  double label_smoothing;
  float* dlogits;      // may be null
  double sum, weight;  // results
};

struct CtcArgs {
  int B, T, C, S;
  const float* logits;
  const std::int32_t* targets;  // [B, S]
  const std::int32_t* input_lengths;
  const std::int32_t* target_lengths;
  std::int32_t blank;
  float* losses;   // [B]
  float* dlogits;  // may be null
};

}  // namespace lstm_native
