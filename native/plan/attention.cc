#include "attention.h"

#include "../arena.h"
#include "time_axis.h"

namespace lstm_native {
namespace {

constexpr PlanFlag kProjections[] = {kQueryFlag, kKeyFlag, kValueFlag};

// Queries and keys are as wide as each other, values as the output.
int width_of(const PlanStep& step, PlanFlag projection) {
  return projection == kValueFlag ? step.output : step.hidden;
}

// In floats, whole cache lines.
std::size_t packed_length(const Kernels& kernels, const PlanStep& step, PlanFlag projection) {
  return (kernels.linear_packed_length(step.input, width_of(step, projection)) + 15) / 16 * 16;
}

}  // namespace

bool attention_is_sound(const PlanStep& step) {
  if (step.groups < 1 || step.hidden < 1 || step.hidden % step.groups != 0 || step.output % step.groups != 0)
    return false;
  for (PlanFlag each : kProjections) {
    if (!has(step, each) && width_of(step, each) != step.input) return false;
  }
  return true;
}

void attention_lengths(const Kernels& kernels, const PlanStep& step, std::size_t lengths[2]) {
  lengths[0] = 0;
  lengths[1] = has(step, kVectorFlag) ? step.hidden : 0;
  for (PlanFlag each : kProjections) {
    if (!has(step, each)) continue;
    lengths[0] += packed_length(kernels, step, each);
    if (has(step, kBiasFlag)) lengths[1] += width_of(step, each);
  }
}

void run_attention(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                   const Flow& flow, const float* x, float* y) {
  const std::size_t rows = flow.rows();
  if (rows == 0) return;  // there may be no memory either
  const float* packed = weights_at(plan, step.weights[0]);
  const float* small = weights_at(plan, step.weights[1]);
  const auto project = [&](PlanFlag projection) -> const float* {
    if (!has(step, projection)) return x;
    LinearArgs args = {};
    args.N = static_cast<int>(rows);
    args.I = step.input;
    args.O = width_of(step, projection);
    args.x = x;
    args.packed = packed;
    packed += packed_length(kernels, step, projection);
    if (has(step, kBiasFlag)) {
      args.bias = small;
      small += args.O;
    }
    args.y = context.arena->take<float>(rows * args.O);
    kernels.linear_forward(context, args);
    return args.y;
  };
  AttentionArgs args = {};
  args.B = flow.run.B;
  args.T = args.S = flow.T;
  args.N = step.groups;
  args.D = step.hidden / step.groups;
  args.E = step.output / step.groups;
  args.scale = step.alpha;
  args.q = project(kQueryFlag);
  args.k = project(kKeyFlag);
  args.v = project(kValueFlag);
  args.vector = has(step, kVectorFlag) ? small : nullptr;
  args.causal = has(step, kCausalFlag);
  args.offsets = flow.offsets;
  // Of sequences one behind the other every step counts.
  if (flow.offsets == nullptr) args.key_mask = valid_steps(context, flow, flow.mask);
  args.y = y;
  kernels.attention_forward(context, args);
}

}  // namespace lstm_native
