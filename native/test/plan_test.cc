// LSTM steps of plans with masks, merges and other cells, against sequences without their masked steps run
// one by one.
#include "../plan/plan.h"

#include "check.h"

namespace lstm_native::test {

namespace {
constexpr int B = 5, T = 6, I = 3, H = 9;

// A plan of one step with two directions.
struct OneStep {
  std::vector<std::int32_t> program;
  Floats weights;
  Plan plan;

  OneStep(const Kernels* kernels, Merge merge, int flags) : program(PlanStep::kInts) {
    LstmShape shape = {};
    shape.I = I;
    shape.H = H;
    const std::size_t lines = (kernels->lstm_packed_length(shape, LstmPass::forward) + 15) / 16;
    weights.resize((2 * lines + 1) * 16);
    Random random(1);
    PlanStep& step = *reinterpret_cast<PlanStep*>(program.data());
    for (int d = 0; d < 2; d++) {
      const Floats ih = random.numbers(4 * H * I), hh = random.numbers(4 * H * H),
                   bias = random.numbers(4 * H);
      LstmWeights<const float> parameters = {};
      parameters.weight_ih = ih.data();
      parameters.weight_hh = hh.data();
      parameters.bias_ih = bias.data();
      step.weights[d] = static_cast<std::int32_t>(d * lines);
      Machine machine;
      kernels->lstm_pack(machine.context(), shape, LstmPass::forward, parameters, &weights[d * lines * 16]);
    }
    const PlanVariant variant = {{12, 0.3f, 0.5f}, {7, 0, 0}, {1, 0, 0}, 0.75f, 1};
    std::memcpy(&weights[2 * lines * 16], &variant, sizeof variant);
    step.kind = static_cast<std::int32_t>(PlanKind::lstm);
    step.input = I;
    step.hidden = H;
    step.output = merge == Merge::concat ? 2 * H : H;
    step.flags = kTwoDirectionsFlag | flags;
    step.function = static_cast<std::int32_t>(merge);
    step.variants[1] = static_cast<std::int32_t>(2 * lines + 1);
    step.eps = 1e-5f;
    plan = {&step, 1, 4 * H, weights.data(), weights.size()};
  }

  Floats run(const Kernels* kernels, const PlanRun& given) const {
    Machine machine(2);
    Floats y(plan_output_rows(plan, given) * plan.steps[plan.count - 1].output),
        states(static_cast<std::size_t>(given.B) * 4 * H);
    PlanRun all = given;
    all.y = y.data();
    all.final_state = states.data();
    run_plan(*kernels, machine.context(), plan, all);
    return y;
  }
};

// What direction d gives for every step of a sequence of which only some count: [T][H].
Floats expected_direction(const Kernels* kernels, const float* x, const std::uint8_t* mask, int d,
                          bool zero) {
  const OneStep alone(kernels, Merge::concat, 0);
  Floats kept;
  int count = 0;
  for (int t = 0; t < T; t++) {
    if (mask[t] == 0) continue;
    kept.insert(kept.end(), x + t * I, x + (t + 1) * I);
    count++;
  }
  PlanRun run = {};
  run.B = 1;
  run.T = count;
  run.x = kept.data();
  const Floats y = alone.run(kernels, run);
  Floats result(T * H);
  int m = d == 0 ? 0 : count - 1;
  const float* last = nullptr;
  for (int s = 0; s < T; s++) {
    const int t = d == 0 ? s : T - 1 - s;
    if (mask[t] != 0) last = &y[(static_cast<std::size_t>(m) * 2 + d) * H];
    if (mask[t] != 0) m += d == 0 ? 1 : -1;
    if (last == nullptr || (zero && mask[t] == 0)) continue;
    std::memcpy(&result[t * H], last, sizeof(float) * H);
  }
  return result;
}

float merged(Merge merge, float first, float second) {
  if (merge == Merge::product) return first * second;
  return merge == Merge::sum ? first + second : (first + second) * 0.5f;
}

}  // namespace

TEST("a plan passes over masked steps, repeats or zeroes their outputs, and merges directions") {
  Random random(2);
  const Floats x = random.numbers(B * T * I);
  std::vector<std::uint8_t> mask(B * T);
  for (std::uint8_t& each : mask) each = random.below(2) == 0 ? 0 : 1;
  for (int t = 0; t < T; t++) mask[2 * T + t] = 0;
  for (const Kernels* kernels : targets()) {
    for (int how = 0; how <= static_cast<int>(Merge::average); how++) {
      for (int flags : {0, int{kZeroMaskedFlag}, int{kLastOnlyFlag}}) {
        const Merge merge = static_cast<Merge>(how);
        const OneStep step(kernels, merge, flags);
        PlanRun run = {};
        run.B = B;
        run.T = T;
        run.x = x.data();
        run.mask = mask.data();
        expect(check_plan(*kernels, step.plan).empty(), "%s: the plan is refused", kernels->name);
        const Floats y = step.run(kernels, run);
        const int steps = flags == kLastOnlyFlag ? 1 : T, width = merge == Merge::concat ? 2 : 1;
        for (int b = 0; b < B; b++) {
          Floats sides[2];
          for (int d = 0; d < 2; d++) {
            sides[d] = expected_direction(kernels, &x[b * T * I], &mask[b * T], d, flags == kZeroMaskedFlag);
          }
          for (int t = 0; t < steps; t++) {
            const float* row = &y[static_cast<std::size_t>(b * steps + t) * width * H];
            // The final h is that of the last step read.
            const float* first = &sides[0][(steps == 1 ? T - 1 : t) * H];
            const float* second = &sides[1][(steps == 1 ? 0 : t) * H];
            for (int u = 0; u < H; u++) {
              const bool same = merge == Merge::concat ? row[u] == first[u] && row[H + u] == second[u]
                                                       : row[u] == merged(merge, first[u], second[u]);
              if (!expect(same, "%s: merge %d, flags %d, b=%d t=%d unit %d", kernels->name, how, flags, b, t,
                          u))
                return;
            }
          }
        }
      }
    }
  }
}

TEST("a plan with damaged variants or merges is refused") {
  const Kernels* kernels = targets().front();
  const auto refused = [&](const OneStep& step) { return !check_plan(*kernels, step.plan).empty(); };
  const auto step_of = [](OneStep& step) -> PlanStep& {
    return *reinterpret_cast<PlanStep*>(step.program.data());
  };
  expect(!refused(OneStep(kernels, Merge::sum, 0)), "a good plan is refused");
  for (std::int32_t line : {-1, 1 << 30}) {
    OneStep step(kernels, Merge::sum, 0);
    step_of(step).variants[0] = line;
    expect(refused(step), "a variant at %d passes", line);
  }
  for (float kind : {-1.0f, 0.5f, 17.0f, std::nanf("")}) {
    OneStep step(kernels, Merge::sum, 0);
    step.weights[static_cast<std::size_t>(step_of(step).variants[1] - 1) * 16] = kind;
    expect(refused(step), "function %g passes", static_cast<double>(kind));
  }
  for (std::int32_t merge : {-1, 4}) {
    OneStep step(kernels, Merge::sum, 0);
    step_of(step).function = merge;
    expect(refused(step), "merge %d passes", merge);
  }
  OneStep step(kernels, Merge::sum, 0);
  step_of(step).flags = 0;
  expect(refused(step), "one direction is merged");
}

}  // namespace lstm_native::test
