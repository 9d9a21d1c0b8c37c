// Reading an LSTM's parameters.
#pragma once
#include "arguments.h"

namespace lstm_native {

// Parameters, or their gradients, of which all may be absent.
template <typename Float>
LstmWeights<Float> lstm_weights(const Arguments& a, const LstmShape& shape, bool gradients) {
  const std::size_t G = 4 * static_cast<std::size_t>(shape.H), H = shape.H, R = shape.R();
  LstmWeights<Float> weights = {};
  weights.weight_ih = a.optional_floats("weightIh", G * shape.I);
  weights.weight_hh = a.optional_floats("weightHh", G * R);
  weights.bias_ih = a.optional_floats("biasIh", G);
  weights.bias_hh = a.optional_floats("biasHh", G);
  weights.weight_hr = a.optional_floats("weightHr", R * H);
  weights.peephole = a.optional_floats("peephole", 3 * H);
  weights.norm_ih = a.optional_floats("normIh", G);
  weights.norm_hh = a.optional_floats("normHh", G);
  weights.norm_cell = a.optional_floats("normCell", 2 * H);
  if (gradients) return weights;
  if (!weights.weight_ih) a.fail("weightIh", "a Float32Array", "nothing");
  if (!weights.weight_hh) a.fail("weightHh", "a Float32Array", "nothing");
  if (shape.P > 0 && !weights.weight_hr) a.fail("weightHr", "a Float32Array where P > 0", "nothing");
  if (shape.layer_norm && !(weights.norm_ih && weights.norm_hh && weights.norm_cell)) {
    a.fail("normIh, normHh and normCell", "Float32Arrays where layerNorm is set", "nothing");
  }
  return weights;
}

}  // namespace lstm_native
