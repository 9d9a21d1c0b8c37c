// The steps of a plan on images, whose rows are the time steps or, of frames, lie inside a time step.
#pragma once
#include "time_axis.h"

namespace lstm_native {

// Of a step that images_are_sound.
Conv2dShape conv2d_shape(const PlanStep& step);

// Whether the step's images and what it makes of them fill its features.
bool images_are_sound(const PlanStep& step);

// Channels of a batch normalisation, which `width` says.
inline int affine_channels(const PlanStep& step) { return step.width; }

void run_conv2d(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                const Flow& flow, const float* x, float* y);
void run_pool2d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                const float* x, float* y);
void run_global_pool2d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                       const float* x, float* y);
void run_affine(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                std::size_t rows, const float* x, float* y);

}  // namespace lstm_native
