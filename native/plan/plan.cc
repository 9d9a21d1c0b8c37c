#include "plan.h"

#include <cstring>

#include "../arena.h"
#include "attention.h"
#include "images.h"
#include "steps.h"
#include "time_axis.h"

namespace lstm_native {
namespace {

void run_linear(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                int rows, const float* x, float* y) {
  LinearArgs args = {};
  args.N = rows;
  args.I = step.input;
  args.O = step.output;
  args.x = x;
  args.packed = weights_at(plan, step.weights[0]);
  args.bias = has(step, kBiasFlag) ? weights_at(plan, step.weights[1]) : nullptr;
  args.y = y;
  kernels.linear_forward(context, args);
}

void run_embedding(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                   int rows, const std::int32_t* indices, float* y) {
  EmbeddingArgs args = {};
  args.N = rows;
  args.E = step.output;
  args.indices = indices;
  args.weight = weights_at(plan, step.weights[0]);
  args.y = y;
  kernels.embedding_forward(context, args);
}

void run_layer_norm(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                    int rows, const float* x, float* y) {
  LayerNormArgs args = {};
  args.N = rows;
  args.F = step.output;
  args.x = x;
  args.gain = has(step, kGainFlag) ? weights_at(plan, step.weights[0]) : nullptr;
  args.shift = has(step, kBiasFlag) ? weights_at(plan, step.weights[1]) : nullptr;
  args.eps = step.eps;
  args.y = y;
  args.mean = context.arena->take<float>(rows);
  args.rstd = context.arena->take<float>(rows);
  kernels.layer_norm_forward(context, args);
}

}  // namespace

bool runs_ragged(const Plan& plan) {
  for (int i = 0; i < plan.count; i++) {
    switch (static_cast<PlanKind>(plan.steps[i].kind)) {
      case PlanKind::lstm:
      case PlanKind::linear:
      case PlanKind::layer_norm:
      case PlanKind::unary:
      case PlanKind::last_step:
      case PlanKind::softmax:
      case PlanKind::affine:
      case PlanKind::attention:
        break;
      case PlanKind::conv2d:
      case PlanKind::pool2d:
      case PlanKind::global_pool2d:
        if (plan.steps[i].height == 0) return false;
        break;
      case PlanKind::embedding:
        if (has(plan.steps[i], kMaskZeroFlag)) return false;
        break;
      case PlanKind::conv1d:
      case PlanKind::pool1d:
      case PlanKind::global_pool1d:
      case PlanKind::flatten:
      case PlanKind::reverse:
      case PlanKind::masking:
        return false;
    }
  }
  return true;
}

std::int64_t plan_output_rows(const Plan& plan, const PlanRun& run) {
  int T = run.T;
  bool ended = false;
  for (int i = 0; i < plan.count && T >= 0; i++) {
    T = steps_after(plan.steps[i], T);
    ended = ended || ends_sequence(plan.steps[i]);
  }
  if (T < 0) return -1;
  if (run.offsets != nullptr && !ended) return run.offsets[run.B];
  return static_cast<std::int64_t>(run.B) * T;
}

static void run_steps(const Kernels& kernels, const Context& context, const Plan& plan, const PlanRun& run) {
  Flow flow = {run, run.T, run.lengths, run.mask, run.offsets};
  if (run.offsets != nullptr) {
    std::int32_t* lengths = context.arena->take<std::int32_t>(run.B);
    for (int b = 0; b < run.B; b++) lengths[b] = run.offsets[b + 1] - run.offsets[b];
    flow.lengths = lengths;
  }
  const float* x = run.x;
  for (int i = 0; i < plan.count; i++) {
    const PlanStep& step = plan.steps[i];
    const std::size_t rows = flow.rows();
    const int T = steps_after(step, flow.T);
    const auto rows_after = [&](const PlanStep& each) {
      if (flow.offsets != nullptr && !ends_sequence(each)) return rows;
      return static_cast<std::size_t>(run.B) * steps_after(each, flow.T);
    };
    const std::size_t length = rows_after(step) * step.output;
    const auto output_of = [&](int n) {
      if (n == plan.count - 1) return run.y;
      return context.arena->take<float>(rows_after(plan.steps[n]) * plan.steps[n].output);
    };
    float* y = output_of(i);
    switch (static_cast<PlanKind>(step.kind)) {
      case PlanKind::lstm:
        if (!is_plain_lstm(step, flow)) {
          run_shaped_lstm(kernels, context, plan, step, flow, x, y);
        } else if (has(step, kTwoDirectionsFlag)) {
          const LstmArgs directions[] = {lstm_args(plan, step, 0, flow, x, y),
                                         lstm_args(plan, step, 1, flow, x, y)};
          kernels.lstm_forward(context, directions, 2);
        } else {
          const int count = stack_height(plan, i, flow);
          LstmArgs* layers = context.arena->take<LstmArgs>(count);
          layers[0] = lstm_args(plan, step, 0, flow, x, y);
          for (int l = 1; l < count; l++) {
            float* above = output_of(++i);
            layers[l] = lstm_args(plan, plan.steps[i], 0, flow, y, above);
            y = above;
          }
          kernels.lstm_stack_forward(context, layers, count);
        }
        break;
      case PlanKind::linear:
        run_linear(kernels, context, plan, step, static_cast<int>(rows), x, y);
        break;
      case PlanKind::embedding:
        run_embedding(kernels, context, plan, step, static_cast<int>(rows), run.indices, y);
        if (has(step, kMaskZeroFlag)) flow.mask = mask_of_zeros(context, run.indices, rows);
        break;
      case PlanKind::layer_norm:
        run_layer_norm(kernels, context, plan, step, static_cast<int>(rows), x, y);
        break;
      case PlanKind::unary:
        kernels.unary_forward(context, static_cast<Unary>(step.function), {step.alpha, step.beta}, length, x,
                              y);
        break;
      case PlanKind::softmax: {
        SoftmaxArgs args = {static_cast<int>(rows), step.output, has(step, kLogFlag), x, y, nullptr, nullptr};
        kernels.softmax_forward(context, args);
        break;
      }
      case PlanKind::last_step:
        run_last_step(step, flow, x, y);
        break;
      case PlanKind::conv1d:
        run_conv1d(kernels, context, plan, step, flow, x, y);
        break;
      case PlanKind::pool1d:
        run_pool1d(kernels, context, step, flow, x, y);
        break;
      case PlanKind::affine:
        run_affine(kernels, context, plan, step, rows, x, y);
        break;
      case PlanKind::attention:
        run_attention(kernels, context, plan, step, flow, x, y);
        break;
      case PlanKind::conv2d:
        run_conv2d(kernels, context, plan, step, flow, x, y);
        break;
      case PlanKind::pool2d:
        run_pool2d(kernels, context, step, flow, x, y);
        break;
      case PlanKind::global_pool2d:
        run_global_pool2d(kernels, context, step, flow, x, y);
        break;
      case PlanKind::global_pool1d:
        run_global_pool1d(kernels, context, step, flow, x, y);
        break;
      case PlanKind::flatten:
        std::memcpy(y, x, sizeof(float) * length);
        break;
      case PlanKind::reverse:
        run_reverse(step, flow, x, y);
        break;
      case PlanKind::masking:
        flow.mask = run_masking(context, step, flow, x, y);
        break;
    }
    flow.mask = mask_after(context, step, flow);
    flow.lengths = lengths_after(context, step, flow);
    if (ends_sequence(step)) flow.offsets = nullptr;
    flow.T = T;
    x = y;
  }
}

void run_plan(const Kernels& kernels, const Context& context, const Plan& plan, const PlanRun& run) {
  PlanRun inner = run;
  const std::size_t B = run.B, width = plan.state_width;
  const bool in_rows = run.state_rows != nullptr && width > 0;
  if (in_rows || run.final_state == nullptr) {
    inner.final_state = context.arena->take<float>(B * width);
  }
  if (in_rows) {
    for (std::size_t b = 0; b < B; b++)
      std::memcpy(inner.final_state + b * width, run.state_rows[b], sizeof(float) * width);
    inner.initial_state = inner.final_state;
  }
  run_steps(kernels, context, plan, inner);
  // Not before all has gone well: a run that fails leaves the states as they were.
  if (in_rows) {
    for (std::size_t b = 0; b < B; b++)
      std::memcpy(run.state_rows[b], inner.final_state + b * width, sizeof(float) * width);
  }
}

}  // namespace lstm_native
