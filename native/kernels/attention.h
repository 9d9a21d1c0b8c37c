// Attention: what the kernels are told.
#pragma once
#include <cstdint>

namespace lstm_native {

// Attention of B rows of T queries over memories of S keys, in N heads: lib/kernels/contract-attention.ts.
struct AttentionArgs {
  int B, T, S, N, D, E;
  float scale;
  const float* q;
  const float* k;
  const float* v;
  const float* vector;           // null: dot products
  const std::uint8_t* key_mask;  // may be null
  const std::uint8_t* mask;      // may be null
  const std::int32_t* rows;      // null: row b asks memory b
  float* y;
  float* weights;
  // Backward only, whose weights are read; any may be null.
  const float* dy;
  const float* dweights;
  float* dq;
  float* dk;
  float* dv;
  float* dvector;
};

}  // namespace lstm_native
