#include "images.h"

#include <cstring>

#include "../arena.h"

namespace lstm_native {
namespace {

// Images and the rows of each: all frames of all sequences, or the sequences and their time steps.
struct Images {
  int count, height;
};

Images images_of(const PlanStep& step, const Flow& flow) {
  if (step.height == 0) return {flow.run.B, flow.T};
  return {static_cast<int>(flow.rows()), step.height};
}

// Places of an image, or of one of its rows where these are time steps.
std::int64_t places(int height, int width) {
  return static_cast<std::int64_t>(height > 0 ? height : 1) * width;
}

std::int64_t places_after(const PlanStep& step) {
  if (is(step, PlanKind::global_pool2d)) return 1;
  const int height = step.height > 0 ? windows_over(step, step.height).S : 1;
  return static_cast<std::int64_t>(height) * columns_over(step).S;
}

int channels_of(const PlanStep& step) {
  return static_cast<int>(step.input / places(step.height, step.width));
}

}  // namespace

Conv2dShape conv2d_shape(const PlanStep& step) {
  return {channels_of(step), static_cast<int>(step.output / places_after(step)), step.groups, step.size,
          step.column_size};
}

bool images_are_sound(const PlanStep& step) {
  constexpr int kMost = 1 << 27;
  if (step.height < 0 || step.height > kMost || step.width < 1 || step.width > kMost) return false;
  const std::int64_t before = places(step.height, step.width), after = places_after(step);
  if (after < 1 || step.input % before != 0 || step.output % after != 0) return false;
  if (!is(step, PlanKind::conv2d)) return step.output / after == step.input / before;
  const Conv2dShape shape = conv2d_shape(step);
  if (shape.groups < 1 || shape.I % shape.groups != 0 || shape.O % shape.groups != 0) return false;
  const std::int64_t taps = static_cast<std::int64_t>(shape.rows) * shape.columns;
  return taps <= kMost && taps * shape.I <= kMost;
}

void run_conv2d(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                const Flow& flow, const float* x, float* y) {
  const Images images = images_of(step, flow);
  const Conv2dShape shape = conv2d_shape(step);
  Conv2dArgs args = {};
  args.rows = windows_over(step, images.height);
  args.columns = columns_over(step);
  args.B = images.count;
  args.I = shape.I;
  args.O = shape.O;
  args.groups = shape.groups;
  args.x = x;
  args.packed = weights_at(plan, step.weights[0]);
  args.bias = has(step, kBiasFlag) ? weights_at(plan, step.weights[1]) : nullptr;
  args.y = y;
  kernels.conv2d_forward(context, args);
}

// Along the columns of every row, then along the rows.
void run_pool2d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                const float* x, float* y) {
  const Images images = images_of(step, flow);
  const Pool kind = static_cast<Pool>(step.function);
  Pool1dArgs columns = {};
  columns.windows = columns_over(step);
  columns.B = images.count * images.height;
  columns.C = channels_of(step);
  columns.count_padding = has(step, kCountPaddingFlag);
  columns.x = x;
  const int row_length = columns.windows.S * columns.C;
  columns.y = context.arena->take<float>(static_cast<std::size_t>(columns.B) * row_length);
  kernels.pool1d_forward(context, kind, columns);
  Pool1dArgs rows = columns;
  rows.windows = windows_over(step, images.height);
  rows.B = images.count;
  rows.C = row_length;
  rows.x = columns.y;
  rows.y = y;
  kernels.pool1d_forward(context, kind, rows);
}

void run_global_pool2d(const Kernels& kernels, const Context& context, const PlanStep& step, const Flow& flow,
                       const float* x, float* y) {
  const Images images = images_of(step, flow);
  const Pool kind = static_cast<Pool>(step.function);
  Pool1dArgs args = {};
  const int all = images.height * step.width;
  args.windows = {all, 1, all, 1, 1, 0};
  args.B = images.count;
  args.C = step.output;
  args.x = x;
  args.y = y;
  const std::uint8_t* valid =
      step.height > 0 ? nullptr : valid_steps(context, flow, kind == Pool::max ? nullptr : flow.mask);
  if (valid != nullptr) {
    const std::size_t steps = static_cast<std::size_t>(flow.run.B) * flow.T;
    std::uint8_t* mask = context.arena->take<std::uint8_t>(steps * step.width);
    for (std::size_t n = 0; n < steps; n++) std::memset(mask + n * step.width, valid[n], step.width);
    args.mask = mask;
  }
  kernels.pool1d_forward(context, kind, args);
}

void run_affine(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                std::size_t rows, const float* x, float* y) {
  BatchNormArgs args = {};
  args.C = affine_channels(step);
  args.N = static_cast<int>(rows * (step.input / args.C));
  args.x = x;
  args.gain = weights_at(plan, step.weights[0]);
  args.shift = weights_at(plan, step.weights[1]);
  args.y = y;
  kernels.batch_norm_forward(context, args);
}

}  // namespace lstm_native
