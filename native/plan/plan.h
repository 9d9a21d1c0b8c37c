// A frozen model as a flat program: steps that call kernels with weights packed before, run whole in one
// call.
//
// The program is an Int32Array and the weights one Float32Array, both made by lib/kernels/native-plan.ts and
// owned by JavaScript, so that a plan is plain memory that threads may share. Nothing here depends on a
// target but through the table of kernels; the weights' layout does, so a plan runs on the target that packed
// it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "../kernels.h"

namespace lstm_native {

enum class PlanKind {
  lstm,
  linear,
  embedding,
  layer_norm,
  unary,
  last_step,
  softmax,
  conv1d,
  pool1d,
  global_pool1d,
  flatten,
  reverse,
  masking,
  affine,
  conv2d,
  pool2d,
  global_pool2d,
  attention
};

// One step as it stands in the program. Offsets into the weights count cache lines of 16 floats.
struct PlanStep {
  static constexpr int kInts = 32;
  // Of `padding`, else zeros on either side.
  static constexpr std::int32_t kSamePadding = -1, kCausalPadding = -2;
  std::int32_t kind;
  std::int32_t input;       // features in; for an embedding the size of the vocabulary
  std::int32_t output;      // features out
  std::int32_t hidden;      // H; of attention the width of its queries and keys
  std::int32_t projection;  // P
  std::int32_t flags;
  std::int32_t weights[2];  // lines, of each direction; of weight and bias; of scale and shift; attention.h
  std::int32_t state;       // first float of the step's part of a state row
  std::int32_t function;    // Unary, Pool, or Merge of an LSTM
  float eps, zoneout_cell, zoneout_hidden;
  float alpha, beta;  // UnaryNumbers; alpha is what a masking leaves out, or the scale of scores
  std::int32_t size, stride, dilation, padding, groups;  // the heads of attention are groups
  std::int32_t variants[2];  // of each direction: 1 + the line with a PlanVariant, 0 for the standard cell
  // Of images: windows over columns, those above being over rows; a height of 0: the rows are the time steps.
  std::int32_t column_size, column_stride, column_dilation, column_padding;
  std::int32_t height, width;
  std::int32_t unused[4];
};
static_assert(sizeof(PlanStep) == PlanStep::kInts * sizeof(std::int32_t));

inline constexpr PlanKind kLastKind = PlanKind::attention;

enum PlanFlag {
  kLayerNormFlag = 1,
  kPeepholesFlag = 2,
  kTwoDirectionsFlag = 4,
  kReverseFlag = 8,
  kBiasFlag = 16,
  kGainFlag = 32,
  kLogFlag = 64,
  kLastOnlyFlag = 128,    // of an LSTM: the output is the final h, and what follows has T = 1
  kZeroMaskedFlag = 256,  // of an LSTM: the output of a masked step is zero
  kMaskZeroFlag = 512,    // of an embedding: steps with index 0 do not count
  kCountPaddingFlag = 1024,
  kKeepMaskFlag = 2048,  // of a reverse: the mask is not turned with the steps
  // Of attention: which of its projections there are, else x itself; whether scores go through tanh.
  kQueryFlag = 1 << 12,
  kKeyFlag = 1 << 13,
  kValueFlag = 1 << 14,
  kVectorFlag = 1 << 15,
  kCausalFlag = 1 << 16
};

// What becomes of the outputs of two directions: side by side, or one as wide as each.
enum class Merge { concat, sum, product, average };

// An LstmVariant as it stands among the weights, numbers all of them.
struct PlanVariant {
  float gate[3], cell[3], output[3];  // kind, alpha, beta
  float clip, coupled;
};
static_assert(sizeof(PlanVariant) <= 16 * sizeof(float));

struct Plan {
  const PlanStep* steps;
  int count;
  int state_width;  // floats of a sequence's state: per LSTM h of each direction, then c of each
  const float* weights;
  std::size_t weights_length;
};

// One run. x is [B, T, input] floats, or [B, T] indices where the first step is an embedding; y [B, S,
// output], plan_output_rows of them. States are [B, state_width]; the initial one may be absent
// (zeros), and both may be one; the final one may be absent too.
struct PlanRun {
  int B, T;
  const std::int32_t* lengths;
  const std::uint8_t* mask;  // [B, T], 0 where a step does not count; or null
  // [B + 1], in place of both: sequence b is rows offsets[b] to offsets[b + 1] of x and y, T the most of one.
  const std::int32_t* offsets;
  const float* x;
  const std::int32_t* indices;
  float* y;
  const float* initial_state;
  float* final_state;
  float* const* state_rows;  // [B], in place of both: where each sequence's state stands, and is left
};

// Why the plan cannot be run, or an empty string: every width and offset is checked, so that a damaged
// program reads nothing that is not its own.
std::string check_plan(const Kernels& kernels, const Plan& plan);

// Whether runs of the plan may have offsets: no step but an LSTM, attention and last_step looks along time.
bool runs_ragged(const Plan& plan);

// Rows of y that a run makes, or -1 where a step cannot take what comes to it.
std::int64_t plan_output_rows(const Plan& plan, const PlanRun& run);

// B, T and offsets as checked by plan_output_rows.
void run_plan(const Kernels& kernels, const Context& context, const Plan& plan, const PlanRun& run);

}  // namespace lstm_native
