// What the steps of a plan have in common, and those that are more than one kernel call: LSTMs with their
// masks and merges.
#pragma once
#include "plan.h"

namespace lstm_native {

inline bool is(const PlanStep& step, PlanKind kind) { return step.kind == static_cast<std::int32_t>(kind); }
inline bool has(const PlanStep& step, PlanFlag flag) { return (step.flags & flag) != 0; }
inline int directions_of(const PlanStep& step) { return has(step, kTwoDirectionsFlag) ? 2 : 1; }
inline Merge merge_of(const PlanStep& step) { return static_cast<Merge>(step.function); }

inline bool is_on_images(const PlanStep& step) {
  return is(step, PlanKind::conv2d) || is(step, PlanKind::pool2d) || is(step, PlanKind::global_pool2d);
}

inline const float* weights_at(const Plan& plan, std::int32_t line) {
  return plan.weights + static_cast<std::size_t>(line) * 16;
}

// Whether the step leaves one step of each sequence.
inline bool ends_sequence(const PlanStep& step) {
  if (is(step, PlanKind::global_pool2d)) return step.height == 0;
  return is(step, PlanKind::last_step) || is(step, PlanKind::global_pool1d) || is(step, PlanKind::flatten) ||
         (is(step, PlanKind::lstm) && has(step, kLastOnlyFlag));
}

// What goes from step to step beside the numbers.
struct Flow {
  const PlanRun& run;
  int T;                        // 1 once the sequence has ended
  const std::int32_t* lengths;  // none from then on; may be null before
  const std::uint8_t* mask;     // likewise
  const std::int32_t* offsets;  // likewise; where given, lengths are their differences

  std::size_t rows() const {
    return offsets != nullptr ? offsets[run.B] : static_cast<std::size_t>(run.B) * T;
  }
  // Of sequence b.
  std::size_t first_row(int b) const {
    return offsets != nullptr ? offsets[b] : static_cast<std::size_t>(b) * T;
  }
};

LstmShape shape_of(const PlanStep& step);

// Whether direction d has the standard cell, or a variant inside the weights with numbers that mean
// something.
bool has_good_variant(const Plan& plan, const PlanStep& step, int d);

LstmArgs lstm_args(const Plan& plan, const PlanStep& step, int d, const Flow& flow, const float* x, float* y);

// Whether the kernel's own output is the step's.
bool is_plain_lstm(const PlanStep& step, const Flow& flow);

// How many steps from `i` on are plain layers of one direction, each reading what the one before writes.
int stack_height(const Plan& plan, int i, const Flow& flow);

// An LSTM of which only the final h is wanted, or whose directions are merged, or with steps that do not
// count: these are taken out before and put back afterwards (lib/kernels/masked-steps.ts).
void run_shaped_lstm(const Kernels& kernels, const Context& context, const Plan& plan, const PlanStep& step,
                     const Flow& flow, const float* x, float* y);

const std::uint8_t* mask_of_zeros(const Context& context, const std::int32_t* indices, std::size_t count);

// One past the last step of sequence b that counts.
int last_end(const Flow& flow, int b);

}  // namespace lstm_native
