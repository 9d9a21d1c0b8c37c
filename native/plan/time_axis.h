// The steps of a plan that change the time axis: how many time steps they leave, and running them.
#pragma once
#include "plan.h"

namespace lstm_native {

// What the steps of a run hand on beside x.
struct Flow {
  const PlanRun& run;
  int T;
  const std::int32_t* lengths;  // may be null
};

inline bool is(const PlanStep& step, PlanKind kind) { return step.kind == static_cast<std::int32_t>(kind); }
inline bool has(const PlanStep& step, PlanFlag flag) { return (step.flags & flag) != 0; }

inline const float* weights_at(const Plan& plan, std::int32_t line) {
  return plan.weights + static_cast<std::size_t>(line) * 16;
}

// Whether windows of these numbers lie where an int can say.
bool windows_are_sound(const PlanStep& step);

// The time steps that the step makes of T, or -1 where it cannot.
int steps_after(const PlanStep& step, int T);

// The lengths that belong to the step's output.
const std::int32_t* lengths_after(const Context& context, const PlanStep& step, const Flow& flow);

void run_conv1d(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                const Flow& flow, const float* x, float* y);
void run_pool1d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                const float* x, float* y);
void run_global_pool1d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                       const float* x, float* y);
void run_reverse(const PlanStep& step, const Flow& flow, const float* x, float* y);
void run_last_step(const PlanStep& step, const Flow& flow, const float* x, float* y);

}  // namespace lstm_native
