#include "time_axis.h"

#include <algorithm>
#include <cstring>

#include "../arena.h"

namespace lstm_native {
namespace {

constexpr std::int64_t kLongest = 1 << 30;  // time steps; positions are ints

bool is_windowed(const PlanStep& step) {
  if (is(step, PlanKind::conv2d) || is(step, PlanKind::pool2d)) return step.height == 0;
  return is(step, PlanKind::conv1d) || is(step, PlanKind::pool1d);
}

// Whether windows of these numbers lie where an int can say.
bool is_sound(int size, int stride, int dilation, int padding) {
  if (size < 1 || stride < 1 || dilation < 1 || padding < PlanStep::kCausalPadding) return false;
  const std::int64_t span = static_cast<std::int64_t>(size - 1) * dilation + 1;
  return span < kLongest / 4 && stride < kLongest / 4 && padding < kLongest / 4;
}

}  // namespace

Windows windows_over(int T, int size, int stride, int dilation, int padding) {
  const int span = (size - 1) * dilation + 1;
  Windows w = {T, 0, size, stride, dilation, 0};
  if (padding == PlanStep::kSamePadding) {
    w.S = (T + stride - 1) / stride;
    const int missing = (w.S - 1) * stride + span - T;
    w.before = missing > 0 ? missing / 2 : 0;
    return w;
  }
  const bool is_causal = padding == PlanStep::kCausalPadding;
  w.before = is_causal ? span - 1 : padding;
  const int room = T + w.before + (is_causal ? 0 : padding) - span;
  w.S = room < 0 ? 0 : room / stride + 1;
  return w;
}

Windows windows_over(const PlanStep& step, int T) {
  return windows_over(T, step.size, step.stride, step.dilation, step.padding);
}

Windows columns_over(const PlanStep& step) {
  return windows_over(step.width, step.column_size, step.column_stride, step.column_dilation,
                      step.column_padding);
}

const std::uint8_t* valid_steps(const Context& context, const Flow& flow, const std::uint8_t* mask) {
  if (flow.lengths == nullptr) return mask;
  const std::size_t T = flow.T;
  std::uint8_t* valid = context.arena->take<std::uint8_t>(flow.run.B * T);
  for (std::size_t n = 0; n < flow.run.B * T; n++) {
    valid[n] = static_cast<int>(n % T) < flow.lengths[n / T] && (mask == nullptr || mask[n] != 0);
  }
  return valid;
}

bool windows_are_sound(const PlanStep& step) {
  const bool of_images = is(step, PlanKind::conv2d) || is(step, PlanKind::pool2d);
  if (of_images && !is_sound(step.column_size, step.column_stride, step.column_dilation, step.column_padding))
    return false;
  return !(is_windowed(step) || of_images) || is_sound(step.size, step.stride, step.dilation, step.padding);
}

int steps_after(const PlanStep& step, int T) {
  if (is(step, PlanKind::flatten)) return static_cast<std::int64_t>(T) * step.input == step.output ? 1 : -1;
  if (ends_sequence(step)) return 1;
  if (!is_windowed(step)) return T;
  if (T >= kLongest / 4) return -1;
  const int S = windows_over(step, T).S;
  return S > 0 || T == 0 ? S : -1;
}

const std::int32_t* lengths_after(const Context& context, const PlanStep& step, const Flow& flow) {
  if (ends_sequence(step) || flow.lengths == nullptr) return nullptr;
  if (!is_windowed(step)) return flow.lengths;
  std::int32_t* lengths = context.arena->take<std::int32_t>(flow.run.B);
  for (int b = 0; b < flow.run.B; b++) {
    lengths[b] = flow.lengths[b] == 0 ? 0 : windows_over(step, flow.lengths[b]).S;
  }
  return lengths;
}

const std::uint8_t* mask_after(const Context& context, const PlanStep& step, const Flow& flow) {
  if (ends_sequence(step) || is_windowed(step) || flow.mask == nullptr) return nullptr;
  if (!is(step, PlanKind::reverse) || has(step, kKeepMaskFlag)) return flow.mask;
  const std::size_t T = flow.T;
  std::uint8_t* turned = context.arena->take<std::uint8_t>(flow.run.B * T);
  std::memcpy(turned, flow.mask, flow.run.B * T);
  for (int b = 0; b < flow.run.B; b++) {
    std::uint8_t* row = turned + b * T;
    std::reverse(row, row + (flow.lengths != nullptr ? flow.lengths[b] : flow.T));
  }
  return turned;
}

void run_conv1d(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                const Flow& flow, const float* x, float* y) {
  Conv1dArgs args = {};
  args.windows = windows_over(step, flow.T);
  args.B = flow.run.B;
  args.I = step.input;
  args.O = step.output;
  args.groups = step.groups;
  args.x = x;
  args.packed = weights_at(plan, step.weights[0]);
  args.bias = has(step, kBiasFlag) ? weights_at(plan, step.weights[1]) : nullptr;
  args.y = y;
  kernels.conv1d_forward(context, args);
}

void run_pool1d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                const float* x, float* y) {
  Pool1dArgs args = {};
  args.windows = windows_over(step, flow.T);
  args.B = flow.run.B;
  args.C = step.output;
  args.count_padding = has(step, kCountPaddingFlag);
  args.x = x;
  args.y = y;
  kernels.pool1d_forward(context, static_cast<Pool>(step.function), args);
}

void run_global_pool1d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                       const float* x, float* y) {
  Pool1dArgs args = {};
  args.windows = {flow.T, 1, flow.T, 1, 1, 0};
  args.B = flow.run.B;
  args.C = step.output;
  const bool is_max = static_cast<Pool>(step.function) == Pool::max;
  args.mask = valid_steps(context, flow, is_max ? nullptr : flow.mask);
  args.x = x;
  args.y = y;
  kernels.pool1d_forward(context, static_cast<Pool>(step.function), args);
}

void run_reverse(const PlanStep& step, const Flow& flow, const float* x, float* y) {
  const std::size_t F = step.output;
  for (int b = 0; b < flow.run.B; b++) {
    const int end = flow.lengths != nullptr ? flow.lengths[b] : flow.T;
    const float* sequence = x + static_cast<std::size_t>(b) * flow.T * F;
    for (int t = 0; t < flow.T; t++, y += F) {
      const int from = t < end ? end - 1 - t : t;
      std::memcpy(y, sequence + from * F, sizeof(float) * F);
    }
  }
}

const std::uint8_t* run_masking(const Context& context, const PlanStep& step, const Flow& flow,
                                const float* x, float* y) {
  const std::size_t rows = static_cast<std::size_t>(flow.run.B) * flow.T, F = step.output;
  std::uint8_t* mask = context.arena->take<std::uint8_t>(rows);
  for (std::size_t n = 0; n < rows; n++, x += F, y += F) {
    std::size_t f = 0;
    while (f < F && x[f] == step.alpha) f++;
    mask[n] = f < F;
    if (f < F) {
      std::memcpy(y, x, sizeof(float) * F);
    } else {
      std::memset(y, 0, sizeof(float) * F);
    }
  }
  return mask;
}

void run_last_step(const PlanStep& step, const Flow& flow, const float* x, float* y) {
  const std::size_t F = step.output;
  for (int b = 0; b < flow.run.B; b++, y += F) {
    const int length = last_end(flow, b);
    if (length == 0) {
      std::memset(y, 0, sizeof(float) * F);
    } else {
      std::memcpy(y, x + (flow.first_row(b) + length - 1) * F, sizeof(float) * F);
    }
  }
}

}  // namespace lstm_native
