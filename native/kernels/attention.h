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
  const float* drop;             // null: all ones
  const std::uint8_t* key_mask;  // may be null
  const std::uint8_t* mask;      // may be null
  bool causal;
  const std::int32_t* rows;  // null: row b asks memory b
  // Inference, in place of the masks and rows: sequence b is rows offsets[b] to offsets[b + 1] of q, k, v and
  // y, and asks itself; T and S are the most of one. Or null.
  const std::int32_t* offsets;
  float* y;
  float* weights;  // null: nobody wants them; there are none with offsets
  // Backward only, whose weights are read; any may be null.
  const float* dy;
  const float* dweights;
  float* dq;
  float* dk;
  float* dv;
  float* dvector;
};

}  // namespace lstm_native
