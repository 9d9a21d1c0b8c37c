// The attention step of plans: the bits of the kernels that it calls, whatever runs beside a sequence.
#include "../plan/attention.h"
#include "check.h"

namespace lstm_native::test {

namespace {
constexpr int kWidths[] = {1, 3, 7, 8, 9, 16, 17, 33};

// A plan of one step, with every projection or none.
struct OneStep {
  const Kernels* kernels;
  PlanStep step = {};
  Floats weights;

  OneStep(const Kernels* kernels, Random& random, bool projects, bool is_additive) : kernels(kernels) {
    step.kind = static_cast<std::int32_t>(PlanKind::attention);
    step.input = step.hidden = step.output = kWidths[random.below(8)];
    step.groups = 1;
    step.alpha = 0.4f;
    if (projects) {
      step.groups = 1 + random.below(3);
      step.hidden = step.groups * kWidths[random.below(8)];
      step.output = step.groups * kWidths[random.below(8)];
      step.flags = kQueryFlag | kKeyFlag | kValueFlag;
      if (random.below(2) == 0) step.flags |= kBiasFlag;
    }
    if (is_additive) step.flags |= kVectorFlag;
    if (random.below(2) == 0) step.flags |= kCausalFlag;
    std::size_t lengths[2];
    attention_lengths(*kernels, step, lengths);
    step.weights[1] = static_cast<std::int32_t>(lengths[0] / 16);
    weights = random.numbers(lengths[0] + lengths[1]);
  }

  Plan plan() const { return {&step, 1, 0, weights.data(), weights.size()}; }

  // What the kernels make of B sequences of T steps.
  Floats expected(int B, int T, const float* x, const std::uint8_t* key_mask) const {
    if (T == 0) return {};
    Machine machine;
    const Context& context = machine.context();
    const std::size_t rows = static_cast<std::size_t>(B) * T;
    const float* packed = weights.data();
    const float* small = packed + static_cast<std::size_t>(step.weights[1]) * 16;
    Floats made[3];
    const int widths[] = {step.hidden, step.hidden, step.output};
    for (int i = 0; i < 3; i++) {
      made[i].assign(x, x + rows * step.input);
      if (!has(step, kQueryFlag)) continue;
      made[i].resize(rows * widths[i]);
      LinearArgs linear = {};
      linear.N = static_cast<int>(rows);
      linear.I = step.input;
      linear.O = widths[i];
      linear.x = x;
      linear.packed = packed;
      linear.bias = has(step, kBiasFlag) ? small : nullptr;
      linear.y = made[i].data();
      kernels->linear_forward(context, linear);
      packed += (kernels->linear_packed_length(step.input, widths[i]) + 15) / 16 * 16;
      if (has(step, kBiasFlag)) small += widths[i];
    }
    Floats y(rows * step.output), scores(rows * step.groups * T);
    AttentionArgs args = {};
    args.B = B;
    args.T = args.S = T;
    args.N = step.groups;
    args.D = step.hidden / step.groups;
    args.E = step.output / step.groups;
    args.scale = step.alpha;
    args.q = made[0].data();
    args.k = made[1].data();
    args.v = made[2].data();
    args.vector = has(step, kVectorFlag) ? small : nullptr;
    args.key_mask = key_mask;
    args.causal = has(step, kCausalFlag);
    args.y = y.data();
    args.weights = scores.data();
    kernels->attention_forward(context, args);
    return y;
  }

  Floats run(const PlanRun& given, int threads) const {
    Machine machine(threads);
    const Plan whole = plan();
    Floats y(plan_output_rows(whole, given) * step.output);
    PlanRun all = given;
    all.y = y.data();
    run_plan(*kernels, machine.context(), whole, all);
    return y;
  }
};

}  // namespace

TEST("an attention step has the bits of its kernels, with lengths and masks, and of each sequence alone") {
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 80; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      const OneStep one(kernels, random, turn % 3 > 0, turn % 4 == 3);
      const std::string fault = check_plan(*kernels, one.plan());
      if (!expect(fault.empty(), "%s: turn %d: %s", kernels->name, turn, fault.c_str())) return;
      const int B = 1 + random.below(4), T = 1 + random.below(turn % 5 == 0 ? 40 : 6), I = one.step.input;
      const Floats x = random.numbers(static_cast<std::size_t>(B) * T * I);
      std::vector<std::int32_t> lengths(B), offsets = {0};
      std::vector<std::uint8_t> mask(static_cast<std::size_t>(B) * T), valid(mask.size());
      for (std::uint8_t& each : mask) each = random.below(4) > 0;
      for (int b = 0; b < B; b++) {
        lengths[b] = random.below(T + 1);
        offsets.push_back(offsets.back() + lengths[b]);
        for (int t = 0; t < T; t++) valid[b * T + t] = t < lengths[b] && mask[b * T + t] != 0;
      }
      PlanRun run = {};
      run.B = B;
      run.T = T;
      run.x = x.data();
      for (int threads : {1, 3}) {
        expect(same_bits(one.run(run, threads), one.expected(B, T, x.data(), nullptr)),
               "%s: turn %d: other bits on %d threads", kernels->name, turn, threads);
      }
      PlanRun masked = run;
      masked.lengths = lengths.data();
      masked.mask = mask.data();
      expect(same_bits(one.run(masked, 1), one.expected(B, T, x.data(), valid.data())),
             "%s: turn %d: other bits with lengths and a mask", kernels->name, turn);

      // One behind the other, and side by side with padding: each as if it were alone.
      Floats behind;
      for (int b = 0; b < B; b++) {
        const float* first = x.data() + static_cast<std::size_t>(b) * T * I;
        behind.insert(behind.end(), first, first + static_cast<std::size_t>(lengths[b]) * I);
      }
      PlanRun ragged = run, padded = run;
      ragged.x = behind.data();
      ragged.offsets = offsets.data();
      padded.lengths = lengths.data();
      const Floats together = one.run(ragged, 2), beside = one.run(padded, 2);
      const std::size_t O = one.step.output;
      for (int b = 0; b < B; b++) {
        const Floats alone = one.expected(1, lengths[b], &x[static_cast<std::size_t>(b) * T * I], nullptr);
        const auto at = [&](const Floats& all, std::size_t row) {
          const auto first = all.begin() + static_cast<std::ptrdiff_t>(row * O);
          return Floats(first, first + static_cast<std::ptrdiff_t>(alone.size()));
        };
        expect(same_bits(at(together, offsets[b]), alone), "%s: turn %d: row %d in a ragged run",
               kernels->name, turn, b);
        expect(same_bits(at(beside, static_cast<std::size_t>(b) * T), alone), "%s: turn %d: row %d padded",
               kernels->name, turn, b);
      }
    }
  }
}

TEST("a plan with damaged attention is refused") {
  const Kernels* kernels = targets().front();
  Random random(5);
  const OneStep good(kernels, random, true, true);
  expect(check_plan(*kernels, good.plan()).empty(), "a good plan is refused");
  const auto refused = [&](const char* what, auto damage) {
    OneStep step = good;
    damage(step);
    expect(!check_plan(*kernels, step.plan()).empty(), "%s passes", what);
  };
  refused("no head", [](OneStep& one) { one.step.groups = 0; });
  refused("a negative number of heads", [](OneStep& one) { one.step.groups = -1; });
  refused("heads that do not divide", [](OneStep& one) { one.step.groups = one.step.hidden + 1; });
  refused("queries of no width", [](OneStep& one) { one.step.hidden = 0; });
  refused("wider queries than there are weights", [](OneStep& one) { one.step.hidden *= 1024; });
  refused("a step without a size", [](OneStep& one) { one.step.output = 0; });
  refused("weights outside", [](OneStep& one) { one.step.weights[0] = 1 << 20; });
  refused("a vector outside", [](OneStep& one) { one.weights.pop_back(); });
  refused("x as queries and keys of another width", [](OneStep& one) {
    one.step.flags = kValueFlag;
    one.step.hidden = one.step.groups * (one.step.input + 1);
  });
  refused("a function", [](OneStep& one) { one.step.function = 1; });
}

}  // namespace lstm_native::test
