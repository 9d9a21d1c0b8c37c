// What makes a plan sound: every size, function and offset that a run relies on.
#include "attention.h"
#include "images.h"
#include "plan.h"
#include "steps.h"
#include "time_axis.h"

namespace lstm_native {
namespace {

// Of features, units and words: some of them added up, or rounded up to whole panels, are still an int.
constexpr std::int32_t kWidest = 1 << 27;

// Floats of the step's sections, [0] and [1] as in PlanStep::weights.
void section_lengths(const Kernels& kernels, const PlanStep& step, std::size_t lengths[2]) {
  lengths[0] = lengths[1] = 0;
  const std::size_t output = step.output;
  switch (static_cast<PlanKind>(step.kind)) {
    case PlanKind::lstm:
      lengths[0] = kernels.lstm_packed_length(shape_of(step), LstmPass::forward);
      lengths[1] = has(step, kTwoDirectionsFlag) ? lengths[0] : 0;
      break;
    case PlanKind::linear:
      lengths[0] = kernels.linear_packed_length(step.input, step.output);
      lengths[1] = has(step, kBiasFlag) ? output : 0;
      break;
    case PlanKind::embedding:
      lengths[0] = step.input * output;
      break;
    case PlanKind::layer_norm:
      lengths[0] = has(step, kGainFlag) ? output : 0;
      lengths[1] = has(step, kBiasFlag) ? output : 0;
      break;
    case PlanKind::conv1d:
      lengths[0] = kernels.conv1d_packed_length({step.input, step.output, step.groups, step.size});
      lengths[1] = has(step, kBiasFlag) ? output : 0;
      break;
    case PlanKind::conv2d:
      lengths[0] = kernels.conv2d_packed_length(conv2d_shape(step));
      lengths[1] = has(step, kBiasFlag) ? conv2d_shape(step).O : 0;
      break;
    case PlanKind::attention:
      attention_lengths(kernels, step, lengths);
      break;
    case PlanKind::affine:
      lengths[0] = lengths[1] = affine_channels(step);
      break;
    case PlanKind::unary:
    case PlanKind::last_step:
    case PlanKind::softmax:
    case PlanKind::pool2d:
    case PlanKind::global_pool2d:
    case PlanKind::pool1d:
    case PlanKind::global_pool1d:
    case PlanKind::flatten:
    case PlanKind::reverse:
    case PlanKind::masking:
      break;
  }
}

bool may_change_features(const PlanStep& step) {
  return is(step, PlanKind::linear) || is(step, PlanKind::embedding) || is(step, PlanKind::conv1d) ||
         is(step, PlanKind::flatten) || is(step, PlanKind::attention) || is_on_images(step);
}

// The largest number that the step's function may have.
std::int32_t last_function(const PlanStep& step) {
  if (is(step, PlanKind::unary)) return static_cast<std::int32_t>(Unary::hard_sigmoid);
  if (is(step, PlanKind::lstm)) return static_cast<std::int32_t>(Merge::average);
  const bool pools = is(step, PlanKind::pool1d) || is(step, PlanKind::global_pool1d) ||
                     is(step, PlanKind::pool2d) || is(step, PlanKind::global_pool2d);
  return pools ? static_cast<std::int32_t>(Pool::average) : 0;
}

}  // namespace

std::string check_plan(const Kernels& kernels, const Plan& plan) {
  int width = plan.count > 0 ? plan.steps[0].input : 0;
  for (int i = 0; i < plan.count; i++) {
    const PlanStep& step = plan.steps[i];
    const std::string place = "step " + std::to_string(i);
    if (step.kind < 0 || step.kind > static_cast<std::int32_t>(kLastKind))
      return place + " is of no known kind";
    for (std::int32_t size : {step.input, step.output, step.hidden, step.projection})
      if (size < 0 || size > kWidest) return place + " has a size beyond all models";
    if (step.input == 0 || step.output == 0) return place + " has no size";
    if (step.input != width) return place + " does not fit the one before it";
    if (is(step, PlanKind::embedding) && i > 0) return place + " is an embedding, which must come first";
    if (is(step, PlanKind::lstm)) {
      const LstmShape shape = shape_of(step);
      const std::int64_t D = directions_of(step), R = shape.R();
      if (step.function < 0 || step.function > static_cast<std::int32_t>(Merge::average) ||
          (merge_of(step) != Merge::concat && D != 2)) {
        return place + " does not say what becomes of its directions";
      }
      const std::int64_t side_by_side = merge_of(step) == Merge::concat ? D : 1;
      if (shape.H == 0 || step.output != side_by_side * R)
        return place + " has an output that is not its hidden size";
      for (int d = 0; d < D; d++) {
        if (!has_good_variant(plan, step, d)) return place + " has a variant that is none";
      }
      if (step.state < 0 || step.state + D * (R + shape.H) > plan.state_width)
        return place + " has a state outside the row";
    } else if (!may_change_features(step) && step.output != step.input) {
      return place + " changes the number of features";
    }
    if (step.function < 0 || step.function > last_function(step)) return place + " has no known function";
    if (!windows_are_sound(step)) return place + " has windows of no size";
    if (is(step, PlanKind::conv1d)) {
      if (step.groups < 1 || step.input % step.groups != 0 || step.output % step.groups != 0)
        return place + " has groups that do not divide its channels";
      if (static_cast<std::int64_t>(step.size) * (step.input / step.groups) > (1 << 30))
        return place + " has windows of no size";
    }
    if (is_on_images(step) && !images_are_sound(step)) return place + " has images of no size";
    if (is(step, PlanKind::attention) && !attention_is_sound(step))
      return place + " has heads that do not share its features out";
    if (is(step, PlanKind::affine) && (step.width < 1 || step.input % step.width != 0))
      return place + " has channels that do not fill its features";
    std::size_t lengths[2];
    section_lengths(kernels, step, lengths);
    for (int s = 0; s < 2; s++) {
      const std::size_t first = static_cast<std::size_t>(step.weights[s]) * 16;
      if (step.weights[s] < 0 || first + lengths[s] > plan.weights_length)
        return place + " has weights outside the array";
    }
    width = step.output;
  }
  return "";
}

}  // namespace lstm_native
