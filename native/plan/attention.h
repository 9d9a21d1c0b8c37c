// The attention step of a plan: the steps of a sequence ask each other.
//
// Section 0 of its weights has the packed projections that there are, of queries, keys and values, each from
// a cache line on; section 1 their biases, one behind the other, and then the vector of additive scores.
#pragma once
#include "steps.h"

namespace lstm_native {

// Whether the heads share out the features, and what is not projected is as wide as x.
bool attention_is_sound(const PlanStep& step);

// Floats of the sections of a step that is sound.
void attention_lengths(const Kernels& kernels, const PlanStep& step, std::size_t lengths[2]);

void run_attention(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                   const Flow& flow, const float* x, float* y);

}  // namespace lstm_native
