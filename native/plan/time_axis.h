// The steps of a plan that change the time axis, or which of its steps count, and running them.
#pragma once
#include "steps.h"

namespace lstm_native {

// Whether windows of these numbers lie where an int can say.
bool windows_are_sound(const PlanStep& step);

// windowsOver of lib/kernels/windows.ts.
Windows windows_over(int T, int size, int stride, int dilation, int padding);

// The step's windows over T steps or rows, and over the columns of an image.
Windows windows_over(const PlanStep& step, int T);
Windows columns_over(const PlanStep& step);

// [B][T], 1 at each step that counts; null where all do.
const std::uint8_t* valid_steps(const Context& context, const Flow& flow, const std::uint8_t* mask);

// The time steps that the step makes of T, or -1 where it cannot.
int steps_after(const PlanStep& step, int T);

// The lengths and the mask that belong to the step's output.
const std::int32_t* lengths_after(const Context& context, const PlanStep& step, const Flow& flow);
const std::uint8_t* mask_after(const Context& context, const PlanStep& step, const Flow& flow);

void run_conv1d(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                const Flow& flow, const float* x, float* y);
void run_pool1d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                const float* x, float* y);
void run_global_pool1d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                       const float* x, float* y);
void run_reverse(const PlanStep& step, const Flow& flow, const float* x, float* y);
// Returns the mask of the steps that are not step.alpha throughout.
const std::uint8_t* run_masking(const Context& context, const PlanStep& step, const Flow& flow,
                                const float* x, float* y);
void run_last_step(const PlanStep& step, const Flow& flow, const float* x, float* y);

}  // namespace lstm_native
