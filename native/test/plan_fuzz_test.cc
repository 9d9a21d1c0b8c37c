// Plans that are damaged at random: each is refused, or runs within its own memory, which the sanitizers
// watch.
#include <limits>

#include "../plan/attention.h"
#include "../plan/images.h"
#include "../plan/plan.h"
#include "../plan/steps.h"
#include "check.h"

namespace lstm_native::test {

namespace {
constexpr int B = 3, T = 5;
// Numbers that a run may make between two steps; damaged sizes may ask for gigabytes, which callers may have.
constexpr std::size_t kMost = 1 << 18;

// A random plan that can be run: every kind of step, with weights of the lengths that it needs.
struct Program {
  const Kernels* kernels;
  Random random;
  std::vector<PlanStep> steps;
  Floats weights;
  int width, state_width = 0, time = T;

  Program(const Kernels* kernels, std::uint64_t seed) : kernels(kernels), random(seed) {
    width = 1 + random.below(9);
    for (int count = 1 + random.below(5); count > 0; count--) append();
  }

  Plan plan() const {
    return {steps.data(), static_cast<int>(steps.size()), state_width, weights.data(), weights.size()};
  }

  std::int32_t section(std::size_t length) {
    const std::int32_t line = static_cast<std::int32_t>(weights.size() / 16);
    for (std::size_t i = 0; i < (length + 15) / 16 * 16; i++) weights.push_back(random.number());
    return line;
  }

  void append() {
    PlanStep step = {};
    const auto kind = static_cast<PlanKind>(random.below(static_cast<std::int32_t>(kLastKind) + 1));
    if (kind == PlanKind::embedding && !steps.empty()) return;
    step.kind = static_cast<std::int32_t>(kind);
    step.input = step.output = width;
    step.eps = 1e-5f;
    step.alpha = 0.5f;
    step.size = step.stride = step.dilation = step.groups = 1;
    if (kind == PlanKind::lstm) lstm(step);
    if (kind == PlanKind::attention) attention(step);
    if (kind == PlanKind::linear || kind == PlanKind::embedding || kind == PlanKind::conv1d)
      step.output = 1 + random.below(12);
    if (kind == PlanKind::conv1d || kind == PlanKind::pool1d) {
      step.size = 1 + random.below(3);
      step.stride = 1 + random.below(2);
      step.padding = PlanStep::kCausalPadding + random.below(3);
      if (time < step.size) return;
      time = step.padding < 0 ? (time + step.stride - 1) / step.stride : (time - step.size) / step.stride + 1;
    }
    if (is_on_images(step) && !image(step)) return;
    if (kind == PlanKind::affine) {
      step.width = width;
      step.weights[0] = section(width);
      step.weights[1] = section(width);
    }
    if (kind == PlanKind::linear)
      step.weights[0] = section(kernels->linear_packed_length(step.input, step.output));
    if (kind == PlanKind::conv1d)
      step.weights[0] = section(kernels->conv1d_packed_length({step.input, step.output, 1, step.size}));
    if (kind == PlanKind::embedding)
      step.weights[0] = section(static_cast<std::size_t>(step.input) * step.output);
    if (kind == PlanKind::layer_norm) {
      step.flags = kGainFlag;
      step.weights[0] = section(width);
    }
    if ((kind == PlanKind::linear || kind == PlanKind::layer_norm) && random.below(2) == 0) {
      step.flags |= kBiasFlag;
      step.weights[1] = section(step.output);
    }
    if (kind == PlanKind::unary) step.function = random.below(5);
    if (kind == PlanKind::pool1d || kind == PlanKind::global_pool1d) step.function = random.below(2);
    if (kind == PlanKind::flatten) step.output = width * time;
    if (ends_sequence(step)) time = 1;
    width = step.output;
    steps.push_back(step);
  }

  // Rows of one column each, or frames of two: whether there can be such a step.
  bool image(PlanStep& step) {
    const bool is_conv = is(step, PlanKind::conv2d), frames = random.below(2) == 0;
    if (frames && width % 2 != 0) return false;
    step.height = frames ? 2 : 0;
    step.width = 1;
    step.column_size = step.column_stride = step.column_dilation = 1;
    const int channels = frames ? width / 2 : width;
    const int outputs = is_conv ? 1 + random.below(5) : channels;
    if (is(step, PlanKind::global_pool2d)) {
      step.output = channels;
      step.function = random.below(2);
      return true;
    }
    step.size = 1 + random.below(2);
    step.padding = PlanStep::kSamePadding;
    step.output = frames ? 2 * outputs : outputs;
    if (is_conv) step.weights[0] = section(kernels->conv2d_packed_length(conv2d_shape(step)));
    if (!is_conv) step.function = random.below(2);
    return true;
  }

  void lstm(PlanStep& step) {
    step.hidden = 1 + random.below(9);
    if (random.below(2) == 0) step.flags |= kTwoDirectionsFlag;
    if (random.below(3) == 0) step.flags |= kZeroMaskedFlag;
    if (random.below(3) == 0) step.flags |= kLastOnlyFlag;
    const int D = directions_of(step);
    const LstmShape shape = shape_of(step);
    for (int d = 0; d < D; d++)
      step.weights[d] = section(kernels->lstm_packed_length(shape, LstmPass::forward));
    if (random.below(2) == 0) {
      const PlanVariant variant = {{12, 0.3f, 0.5f}, {7, 0, 0}, {1, 0, 0}, 0.75f, 1};
      step.variants[0] = section(16) + 1;
      std::memcpy(&weights[static_cast<std::size_t>(step.variants[0] - 1) * 16], &variant, sizeof variant);
    }
    step.output = D * shape.R();
    step.state = state_width;
    state_width += D * (shape.R() + shape.H);
  }

  void attention(PlanStep& step) {
    const bool projects = random.below(3) > 0, makes_values = projects || random.below(2) == 0;
    step.groups = projects ? 1 + random.below(3) : 1;
    if (projects) step.flags |= kQueryFlag | kKeyFlag;
    step.hidden = projects ? step.groups * (1 + random.below(5)) : width;
    if (makes_values) step.flags |= kValueFlag;
    if (makes_values) step.output = step.groups * (1 + random.below(5));
    for (PlanFlag each : {kBiasFlag, kVectorFlag, kCausalFlag}) {
      if (random.below(2) == 0) step.flags |= each;
    }
    std::size_t lengths[2];
    attention_lengths(*kernels, step, lengths);
    for (int s = 0; s < 2; s++) step.weights[s] = section(lengths[s]);
  }

  // A number of a step, of a variant or of the plan becomes another one.
  void damage() {
    constexpr std::int32_t low = std::numeric_limits<std::int32_t>::min(), high = -(low + 1);
    const std::int32_t values[] = {-2, -1, 0, 1, 2, 3, 16, 255, 1 << 16, 1 << 28, 1 << 30, high, low};
    auto* ints = reinterpret_cast<std::int32_t*>(steps.data());
    const int count = static_cast<int>(steps.size()) * PlanStep::kInts, at = random.below(count);
    switch (random.below(6)) {
      case 0:
        ints[at] = static_cast<std::int32_t>(static_cast<std::uint32_t>(ints[at]) ^ 1u << random.below(32));
        return;
      case 1:
        ints[at] = ints[random.below(count)];
        return;
      case 2:
        steps[random.below(static_cast<int>(steps.size()))] =
            steps[random.below(static_cast<int>(steps.size()))];
        return;
      case 3: {
        const float odd[] = {-1, 0.5f, 99, 1e30f, std::nanf("")};
        if (!weights.empty()) weights[random.bits() % weights.size()] = odd[random.below(5)];
        return;
      }
      default:
        ints[at] = values[random.below(13)];
    }
  }

  // Whether every array of a run has a size that this test wants to make.
  bool is_modest() const {
    for (int i = 0; i <= static_cast<int>(steps.size()); i++) {
      const Plan first = {steps.data(), i, state_width, weights.data(), weights.size()};
      PlanRun whole = {};
      whole.B = B;
      whole.T = T;
      const std::int64_t rows = plan_output_rows(first, whole);
      const std::size_t features = i == 0 ? steps[0].input : steps[i - 1].output;
      if (rows < 0 || static_cast<std::size_t>(rows) * features > kMost) return false;
      if (i == static_cast<int>(steps.size()) || !is(steps[i], PlanKind::attention)) continue;
      const std::int64_t most = rows / B > steps[i].hidden ? rows / B : steps[i].hidden;
      if (static_cast<std::size_t>(rows * most) > kMost) return false;
    }
    return true;
  }

  void run() {
    const bool reads_indices = is(steps[0], PlanKind::embedding);
    const Floats x = random.numbers(static_cast<std::size_t>(B) * T * steps[0].input);
    std::vector<std::int32_t> indices(B * T), lengths(B);
    std::vector<std::uint8_t> mask(B * T);
    for (std::int32_t& index : indices) index = random.below(steps[0].input);
    for (std::int32_t& length : lengths) length = random.below(T + 1);
    for (std::uint8_t& each : mask) each = random.below(2) == 0 ? 0 : 1;
    PlanRun given = {};
    given.B = B;
    given.T = T;
    std::vector<std::int32_t> offsets = {0};
    for (std::int32_t length : lengths) offsets.push_back(offsets.back() + length);
    const bool ragged = runs_ragged(plan()) && random.below(2) == 0;
    if (ragged) given.offsets = offsets.data();
    Floats y(plan_output_rows(plan(), given) * steps.back().output),
        states(static_cast<std::size_t>(B) * state_width);
    std::vector<float*> state_rows;
    for (int b = B; b-- > 0;) state_rows.push_back(states.data() + static_cast<std::size_t>(b) * state_width);
    given.x = reads_indices ? nullptr : x.data();
    given.indices = reads_indices ? indices.data() : nullptr;
    if (!ragged && random.below(3) == 0) given.lengths = lengths.data();
    if (!ragged && random.below(3) == 0) given.mask = mask.data();
    given.y = y.data();
    if (random.below(2) == 0) {
      given.final_state = states.data();
    } else {
      given.state_rows = state_rows.data();
    }
    Machine machine(1 + random.below(2));
    run_plan(*kernels, machine.context(), plan(), given);
  }
};

}  // namespace

TEST("a plan damaged at random is refused or runs within its memory") {
  const int count = exhaustive() ? 200000 : 10000;
  for (const Kernels* kernels : targets()) {
    int sound = 0, refused = 0, ran = 0;
    for (int seed = 0; seed < count; seed++) {
      Program program(kernels, seed);
      if (program.steps.empty()) continue;
      const std::string fault = check_plan(*kernels, program.plan());
      if (!expect(fault.empty(), "%s: the plan of seed %d is refused: %s", kernels->name, seed,
                  fault.c_str()))
        return;
      sound++;
      if (seed % 16 == 0) program.run();
      for (int n = 1 + program.random.below(3); n > 0; n--) program.damage();
      if (!check_plan(*kernels, program.plan()).empty()) {
        refused++;
      } else if (program.is_modest()) {
        program.run();
        ran++;
      }
    }
    std::printf("      %s: %d plans, damaged %d refused, %d run\n", kernels->name, sound, refused, ran);
  }
}

}  // namespace lstm_native::test
