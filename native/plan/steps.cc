#include "steps.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "../arena.h"

namespace lstm_native {
namespace {

int length_of(const Flow& flow, int b) { return flow.lengths != nullptr ? flow.lengths[b] : flow.T; }

bool counts(const Flow& flow, int b, int t) {
  return t < length_of(flow, b) && flow.mask[static_cast<std::size_t>(b) * flow.T + t] != 0;
}

LstmActivation activation_of(const float numbers[3]) {
  return {static_cast<Activation>(static_cast<int>(numbers[0])), numbers[1], numbers[2]};
}

// The sequences without the steps that do not count, each with a row to spare that the kernel fills with
// zeros.
struct ShortSequences {
  int T;
  std::int32_t* lengths;
  float* x;
};

ShortSequences shorten(const Context& context, const Flow& flow, const float* x, std::size_t width) {
  const int B = flow.run.B;
  ShortSequences result = {1, context.arena->take<std::int32_t>(B), nullptr};
  for (int b = 0; b < B; b++) {
    result.lengths[b] = 0;
    for (int t = 0; t < flow.T; t++) result.lengths[b] += counts(flow, b, t) ? 1 : 0;
    if (result.lengths[b] >= result.T) result.T = result.lengths[b] + 1;
  }
  result.x = context.arena->take<float>(static_cast<std::size_t>(B) * result.T * width);
  for (int b = 0; b < B; b++) {
    float* to = result.x + static_cast<std::size_t>(b) * result.T * width;
    for (int t = 0; t < flow.T; t++, x += width) {
      if (!counts(flow, b, t)) continue;
      std::memcpy(to, x, sizeof(float) * width);
      to += width;
    }
  }
  return result;
}

// Direction d of the results, for every step: one that does not count gets that of the step read before it,
// or zeros.
void restore(const Flow& flow, const PlanStep& step, const ShortSequences& from, int d, const float* y,
             float* to) {
  const int D = directions_of(step);
  const std::size_t R = shape_of(step).R();
  const bool backward = d == 1 || has(step, kReverseFlag);
  for (int b = 0; b < flow.run.B; b++) {
    const int zeros = from.lengths[b];
    int before = 0;
    for (int t = 0; t < flow.T; t++) {
      const bool here = counts(flow, b, t);
      const bool is_zero = t >= length_of(flow, b) || has(step, kZeroMaskedFlag);
      const int repeated = is_zero ? zeros : backward ? before : before > 0 ? before - 1 : zeros;
      const std::size_t row = static_cast<std::size_t>(b) * from.T + (here ? before : repeated);
      std::memcpy(to + ((static_cast<std::size_t>(b) * flow.T + t) * D + d) * R, y + (row * D + d) * R,
                  sizeof(float) * R);
      if (here) before++;
    }
  }
}

// The last step's h of every sequence, directions side by side.
const float* final_outputs(const Context& context, const Plan& plan, const PlanStep& step, const Flow& flow) {
  const std::size_t width = static_cast<std::size_t>(directions_of(step)) * shape_of(step).R();
  float* y = context.arena->take<float>(flow.run.B * width);
  for (int b = 0; b < flow.run.B; b++) {
    const float* state = flow.run.final_state + static_cast<std::size_t>(b) * plan.state_width + step.state;
    std::memcpy(y + b * width, state, sizeof(float) * width);
  }
  return y;
}

void merge(Merge how, std::size_t rows, std::size_t R, const float* x, float* y) {
  if (how == Merge::concat) return;
  for (std::size_t n = 0; n < rows; n++, x += 2 * R, y += R) {
    for (std::size_t r = 0; r < R; r++) {
      const float first = x[r], second = x[R + r];
      y[r] = how == Merge::product ? first * second : first + second;
      if (how == Merge::average) y[r] *= 0.5f;
    }
  }
}

}  // namespace

LstmShape shape_of(const PlanStep& step) {
  LstmShape shape = {};
  shape.I = step.input;
  shape.H = step.hidden;
  shape.P = step.projection;
  shape.layer_norm = has(step, kLayerNormFlag);
  shape.peepholes = has(step, kPeepholesFlag);
  return shape;
}

bool has_good_variant(const Plan& plan, const PlanStep& step, int d) {
  if (step.variants[d] == 0) return true;
  if (step.variants[d] < 0) return false;
  const std::size_t first = static_cast<std::size_t>(step.variants[d] - 1) * 16;
  if (first + 16 > plan.weights_length) return false;
  const PlanVariant& variant = *reinterpret_cast<const PlanVariant*>(plan.weights + first);
  for (const float* each : {variant.gate, variant.cell, variant.output}) {
    if (!(each[0] >= 0 && each[0] < kActivations && each[0] == std::floor(each[0]))) return false;
  }
  return variant.clip >= 0;
}

LstmArgs lstm_args(const Plan& plan, const PlanStep& step, int d, const Flow& flow, const float* x,
                   float* y) {
  LstmArgs args = {};
  static_cast<LstmShape&>(args) = shape_of(step);
  args.B = flow.run.B;
  args.T = flow.T;
  const int D = directions_of(step), R = args.R();
  args.reverse = d == 1 || has(step, kReverseFlag);
  args.varied = step.variants[d] != 0;
  if (args.varied) {
    const PlanVariant& variant =
        *reinterpret_cast<const PlanVariant*>(weights_at(plan, step.variants[d] - 1));
    args.variant = {activation_of(variant.gate), activation_of(variant.cell), activation_of(variant.output),
                    variant.clip > 0 ? variant.clip : std::numeric_limits<float>::infinity(),
                    variant.coupled != 0};
  }
  args.lengths = flow.lengths;
  args.offsets = flow.offsets;
  args.packed = weights_at(plan, step.weights[d]);
  args.x = x;
  args.x_time_stride = args.I;
  args.x_batch_stride = static_cast<std::ptrdiff_t>(flow.T) * args.I;
  if (y != nullptr) args.y = y + d * R;  // a result of no rows may have no memory
  args.y_time_stride = static_cast<std::ptrdiff_t>(D) * R;
  args.y_batch_stride = flow.T * args.y_time_stride;
  args.h_stride = args.c_stride = plan.state_width;
  const int h = step.state + d * R, c = step.state + D * R + d * args.H;
  if (flow.run.initial_state != nullptr) {
    args.h0 = flow.run.initial_state + h;
    args.c0 = flow.run.initial_state + c;
  }
  args.hn = flow.run.final_state + h;
  args.cn = flow.run.final_state + c;
  args.eps = step.eps;
  args.zoneout_cell = {nullptr, step.zoneout_cell};
  args.zoneout_hidden = {nullptr, step.zoneout_hidden};
  return args;
}

bool is_plain_lstm(const PlanStep& step, const Flow& flow) {
  return flow.mask == nullptr && merge_of(step) == Merge::concat && !has(step, kLastOnlyFlag);
}

int stack_height(const Plan& plan, int i, const Flow& flow) {
  const auto is_layer = [&](const PlanStep& step) {
    return is(step, PlanKind::lstm) && !has(step, kTwoDirectionsFlag) && is_plain_lstm(step, flow) &&
           has(step, kReverseFlag) == has(plan.steps[i], kReverseFlag);
  };
  int count = 0;
  while (i + count < plan.count && is_layer(plan.steps[i + count])) count++;
  return count;
}

void run_shaped_lstm(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                     const Flow& flow, const float* x, float* y) {
  const int D = directions_of(step);
  const std::size_t B = flow.run.B, R = shape_of(step).R(), width = D * R;
  const bool masked = flow.mask != nullptr, last_only = has(step, kLastOnlyFlag);
  const ShortSequences shortened =
      masked ? shorten(context, flow, x, step.input) : ShortSequences{flow.T, nullptr, nullptr};
  const Flow inner = {flow.run, shortened.T, masked ? shortened.lengths : flow.lengths, nullptr,
                      flow.offsets};
  // Side by side is what the step itself gives, unless something is yet to be done with it.
  const bool merged = merge_of(step) != Merge::concat;
  const auto room = [&](const Flow& of) { return context.arena->take<float>(width * of.rows()); };
  float* all = masked || merged || last_only ? room(inner) : y;
  LstmArgs directions[2];
  for (int d = 0; d < D; d++) {
    directions[d] = lstm_args(plan, step, d, inner, masked ? shortened.x : x, all);
  }
  kernels.lstm_forward(context, directions, D);

  const float* result = all;
  const std::size_t rows = last_only ? B : flow.rows();
  if (last_only) {
    result = final_outputs(context, plan, step, flow);
    if (!merged) std::memcpy(y, result, sizeof(float) * rows * width);
  } else if (masked) {
    float* restored = merged ? room(flow) : y;
    for (int d = 0; d < D; d++) restore(flow, step, shortened, d, all, restored);
    result = restored;
  }
  merge(merge_of(step), rows, R, result, y);
}

const std::uint8_t* mask_of_zeros(const Context& context, const std::int32_t* indices, std::size_t count) {
  std::uint8_t* mask = context.arena->take<std::uint8_t>(count);
  for (std::size_t n = 0; n < count; n++) mask[n] = indices[n] != 0 ? 1 : 0;
  return mask;
}

int last_end(const Flow& flow, int b) {
  int end = length_of(flow, b);
  while (flow.mask != nullptr && end > 0 && !counts(flow, b, end - 1)) end--;
  return end;
}

}  // namespace lstm_native
