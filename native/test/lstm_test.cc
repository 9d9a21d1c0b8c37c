// The LSTM on every target: forward against the equations of lib/kernels/contract-lstm.ts in double
// precision, backward against their central differences, and the promises about bits and padding.
#include <string>

#include "lstm_model.h"

namespace lstm_native::test {

namespace {
struct Run {
  Floats y, hn, cn, cache;
  LstmArgs args;
};

float* pointer(Floats& values) { return values.empty() ? nullptr : values.data(); }
const float* pointer(const Floats& values) { return values.empty() ? nullptr : values.data(); }

LstmArgs arguments(const Model& m) {
  const Case& c = m.c;
  LstmArgs args = {};
  args.B = c.B;
  args.T = c.T;
  args.I = c.I;
  args.H = c.H;
  args.P = c.P;
  args.layer_norm = c.norm;
  args.peepholes = !m.arrays[kPeephole].empty();
  args.h_stride = m.R;
  args.c_stride = c.H;
  args.reverse = c.reverse;
  args.varied = c.variant != 0;
  args.variant = kVariants[c.variant];
  args.lengths = c.lengths ? m.lengths.data() : nullptr;
  args.weights = {pointer(m.arrays[kWih]),    pointer(m.arrays[kWhh]),    pointer(m.arrays[kBih]),
                  pointer(m.arrays[kBhh]),    pointer(m.arrays[kWhr]),    pointer(m.arrays[kPeephole]),
                  pointer(m.arrays[kNormIh]), pointer(m.arrays[kNormHh]), pointer(m.arrays[kNormCell])};
  args.x = m.arrays[kX].data();
  args.x_batch_stride = c.time_major ? c.I : c.T * c.I;
  args.x_time_stride = c.time_major ? c.B * c.I : c.I;
  args.y_batch_stride = c.time_major ? m.R : c.T * m.R;
  args.y_time_stride = c.time_major ? c.B * m.R : m.R;
  args.h0 = pointer(m.arrays[kH0]);
  args.c0 = pointer(m.arrays[kC0]);
  args.recurrent_mask = pointer(m.mask);
  args.zoneout_cell = {pointer(m.zoneout_cell), c.zoneout == 2 ? 0.2f : 0};
  args.zoneout_hidden = {pointer(m.zoneout_hidden), c.zoneout == 2 ? 0.1f : 0};
  args.eps = static_cast<float>(kEps);
  return args;
}

Run forward(const Kernels* kernels, const Model& m, Machine& machine, bool training) {
  const Case& c = m.c;
  Run run = {Floats(c.B * c.T * m.R, 77.0f), Floats(c.B * m.R), Floats(c.B * c.H), {}, arguments(m)};
  if (training) run.cache = Floats(kernels->lstm_cache_length(run.args));
  run.args.y = run.y.data();
  run.args.hn = run.hn.data();
  run.args.cn = run.cn.data();
  run.args.cache = training ? run.cache.data() : nullptr;
  kernels->lstm_forward(machine.context(), &run.args, 1);
  return run;
}

// Runs the backward pass after `run`, adding to all twelve gradients.
void backward(const Kernels* kernels, const Model& m, Run& run, Machine& machine, Floats* gradients) {
  LstmArgs& args = run.args;
  args.dy = m.dy.data();
  args.dhn = m.dhn.data();
  args.dcn = m.dcn.data();
  args.dx = pointer(gradients[kX]);
  args.dh0 = pointer(gradients[kH0]);
  args.dc0 = pointer(gradients[kC0]);
  args.dweights = {pointer(gradients[kWih]),    pointer(gradients[kWhh]),    pointer(gradients[kBih]),
                   pointer(gradients[kBhh]),    pointer(gradients[kWhr]),    pointer(gradients[kPeephole]),
                   pointer(gradients[kNormIh]), pointer(gradients[kNormHh]), pointer(gradients[kNormCell])};
  kernels->lstm_backward(machine.context(), &args, 1);
}

//                                B  T  I   H   P  rev    len    bias   peep   norm   mask   major  zoneout
const Case kCases[] = {
    {"plain", 3, 5, 4, 6, 0, false, false, true, false, false, false, false, 0},
    {"reverse with lengths", 4, 5, 3, 9, 0, true, true, true, false, false, false, false, 0},
    {"no bias, time major", 2, 4, 5, 7, 0, false, true, false, false, false, false, true, 0},
    {"projection", 3, 4, 4, 9, 5, false, true, true, false, false, false, false, 0},
    {"peepholes", 3, 4, 2, 8, 0, true, false, true, true, false, false, true, 0},
    {"layer norm", 3, 4, 3, 7, 0, false, true, true, false, true, false, false, 0},
    {"recurrent dropout", 3, 4, 3, 6, 0, false, false, true, false, false, true, false, 0},
    {"zoneout masks", 3, 4, 3, 9, 0, true, true, true, false, false, false, false, 1},
    {"zoneout expectation", 2, 4, 3, 5, 0, false, true, true, false, false, false, false, 2},
    {"everything", 3, 4, 3, 9, 5, true, true, true, true, true, true, true, 1},
    {"other functions", 3, 5, 4, 6, 0, false, true, true, false, false, false, false, 0, 1},
    {"bounds and coupled gates", 3, 4, 3, 9, 0, true, true, true, true, false, false, true, 0, 2},
    {"other functions and a projection", 3, 4, 4, 9, 5, false, true, true, false, false, false, false, 0, 3},
    {"every variant", 3, 4, 3, 9, 5, true, true, true, true, true, true, true, 1, 3},
    {"one of each", 1, 1, 1, 1, 0, false, false, true, false, false, false, false, 0}};

// Float32 over few steps, of which every value is of the order of 1 and layer norm amplifies by at most
// 1/sqrt(eps).
constexpr double kForwardBound = 2e-6;
constexpr double kBackwardBound = 2e-5;

void compare(const Kernels* kernels, const Model& m, const char* what, const Floats& actual,
             const Doubles& expected, double bound) {
  const double error = norm_error(actual, expected);
  expect(error <= bound, "%s: %s (B=%d T=%d I=%d H=%d): %s: error %.2g, bound %.2g", kernels->name, m.c.name,
         m.c.B, m.c.T, m.c.I, m.c.H, what, error, bound);
}

void check_forward(const Kernels* kernels, const Model& m, Machine& machine, double bound) {
  Doubles arrays[kArrays];
  for (int i = 0; i < kArrays; i++) arrays[i] = widen(m.arrays[i]);
  const Outcome expected = reference(m, arrays);
  for (bool training : {false, true}) {
    const Run run = forward(kernels, m, machine, training);
    compare(kernels, m, training ? "y in training" : "y", run.y, expected.y, bound);
    compare(kernels, m, training ? "hn in training" : "hn", run.hn, expected.hn, bound);
    compare(kernels, m, training ? "cn in training" : "cn", run.cn, expected.cn, bound);
  }
}

// Sizes around those of vectors, in another combination each turn, of which there are 15.
Case awkward_case(int turn, int T) {
  const int sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129};
  Case c = {};
  c.name = "awkward";
  c.B = sizes[(turn * 4 + 1) % 15];
  c.T = T;
  c.I = sizes[(turn * 7 + 2) % 15];
  c.H = sizes[turn];
  c.reverse = turn % 2 == 1;
  c.lengths = turn % 3 == 0;
  c.bias = true;
  c.time_major = turn % 4 > 1;
  return c;
}

}  // namespace

TEST("the forward pass follows the equations, with every option") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (const Case& c : kCases) check_forward(kernels, make(c), machine, kForwardBound);
  }
}

TEST("the forward pass follows the equations at awkward sizes") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 15; turn++) {
      check_forward(kernels, make(awkward_case(turn, 3)), machine, kForwardBound);
    }
  }
}

TEST("the backward pass gives the central differences of the equations, for every array and option") {
  for (const Case& c : kCases) {
    const Model m = make(c);
    Doubles arrays[kArrays];
    for (int i = 0; i < kArrays; i++) arrays[i] = widen(m.arrays[i]);
    Doubles expected[kArrays];
    for (int i = 0; i < kArrays; i++) {
      for (double& value : arrays[i]) {
        constexpr double kStep = 1e-4;  // the differences' own error, step²/6·f''', is then some 1e-9
        const double centre = value;
        value = centre + kStep;
        const double above = loss(m, arrays);
        value = centre - kStep;
        const double below = loss(m, arrays);
        value = centre;
        expected[i].push_back((above - below) / (2 * kStep));
      }
    }
    for (const Kernels* kernels : targets()) {
      for (int threads : {1, 3}) {
        Machine machine(threads);
        Run run = forward(kernels, m, machine, true);
        Random random(9);
        Floats gradients[kArrays];
        Doubles sums[kArrays];
        for (int i = 0; i < kArrays; i++) {
          gradients[i] = random.numbers(m.arrays[i].size());
          sums[i] = widen(gradients[i]);
          for (std::size_t j = 0; j < sums[i].size(); j++) sums[i][j] += expected[i][j];
        }
        backward(kernels, m, run, machine, gradients);
        for (int i = 0; i < kArrays; i++) {
          compare(kernels, m, (std::string("d") + kNames[i]).c_str(), gradients[i], sums[i], kBackwardBound);
        }
      }
    }
  }
}

TEST("the backward pass gives the equations' slopes along random directions at awkward sizes") {
  for (int turn = 0; turn < 15; turn++) {
    Case c = awkward_case(turn, 2);
    c.peephole = turn % 5 == 0;
    const Model m = make(c);
    Doubles arrays[kArrays], directions[kArrays];
    double slopes[kArrays];
    Random random(static_cast<std::uint64_t>(turn));
    for (int i = 0; i < kArrays; i++) arrays[i] = widen(m.arrays[i]);
    for (int i = 0; i < kArrays; i++) {
      constexpr double kStep = 1e-4;
      directions[i] = widen(random.numbers(arrays[i].size()));
      const Doubles centre = arrays[i];
      const auto move = [&](double step) {
        for (std::size_t j = 0; j < centre.size(); j++) arrays[i][j] = centre[j] + step * directions[i][j];
        return loss(m, arrays);
      };
      slopes[i] = (move(kStep) - move(-kStep)) / (2 * kStep);
      arrays[i] = centre;
    }
    for (const Kernels* kernels : targets()) {
      Machine machine(2);
      Run run = forward(kernels, m, machine, true);
      Floats gradients[kArrays];
      for (int i = 0; i < kArrays; i++) gradients[i] = Floats(arrays[i].size());
      backward(kernels, m, run, machine, gradients);
      for (int i = 0; i < kArrays; i++) {
        double slope = 0, size = 0;
        for (std::size_t j = 0; j < directions[i].size(); j++) {
          slope += gradients[i][j] * directions[i][j];
          size += std::pow(gradients[i][j] * directions[i][j], 2);
        }
        // Rounding errors of the elements add up like a random walk; the differences' own error is some 1e-6
        // of a slope.
        const double bound = kBackwardBound * (std::sqrt(size) + std::fabs(slopes[i]));
        expect(std::fabs(slope - slopes[i]) <= bound, "%s: B=%d I=%d H=%d: slope of d%s: %.9g, expected %.9g",
               kernels->name, c.B, c.I, c.H, kNames[i], slope, slopes[i]);
      }
    }
  }
}

TEST("the backward pass leaves out the gradients that nobody asks for") {
  for (const Kernels* kernels : targets()) {
    for (const Case& c : kCases) {
      const Model m = make(c);
      Machine machine(2);
      Run run = forward(kernels, m, machine, true);
      Floats dx(m.arrays[kX].size());
      run.args.dy = m.dy.data();
      run.args.dx = dx.data();
      kernels->lstm_backward(machine.context(), &run.args, 1);
      Run again = forward(kernels, m, machine, true);
      Floats dc0(m.arrays[kC0].size());
      again.args.dcn = m.dcn.data();
      again.args.dc0 = dc0.data();
      kernels->lstm_backward(machine.context(), &again.args, 1);
      double sum = 0;
      for (float value : dx) sum += std::fabs(value);
      for (float value : dc0) sum += std::fabs(value);
      expect(std::isfinite(sum) && sum > 0, "%s: %s: gradients sum to %g", kernels->name, c.name, sum);
    }
  }
}

TEST("a sequence's bits do not depend on the threads or on what shares its batch") {
  for (const Kernels* kernels : targets()) {
    for (int H : {9, 33, 64}) {
      const Case whole = {"batch", 13, 6, 10, H, 0, false, true, true, false, false, false, false, 0};
      const Model m = make(whole);
      Machine one(1);
      const Run alone = forward(kernels, m, one, false);
      for (int threads = 2; threads <= 4; threads++) {
        Machine several(threads);
        const Run shared = forward(kernels, m, several, false);
        expect(same_bits(alone.y, shared.y) && same_bits(alone.cn, shared.cn),
               "%s: H=%d: %d threads give other bits", kernels->name, H, threads);
      }
      for (int b = 0; b < whole.B; b++) {
        Model single = m;
        single.c.B = 1;
        const auto row = [b](const Floats& values, int width) {
          return Floats(values.begin() + b * width, values.begin() + (b + 1) * width);
        };
        single.arrays[kX] = row(m.arrays[kX], whole.T * whole.I);
        single.arrays[kH0] = row(m.arrays[kH0], H);
        single.arrays[kC0] = row(m.arrays[kC0], H);
        single.lengths = {m.lengths[b]};
        const Run run = forward(kernels, single, one, false);
        expect(same_bits(run.y, row(alone.y, whole.T * H)), "%s: H=%d: sequence %d has other bits alone",
               kernels->name, H, b);
      }
    }
  }
}

TEST("weights packed beforehand give the same bits") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (const Case& c : kCases) {
      const Model m = make(c);
      const Run plain = forward(kernels, m, machine, false);
      Run packed = {
          Floats(plain.y.size(), 77.0f), Floats(plain.hn.size()), Floats(plain.cn.size()), {}, plain.args};
      Floats weights(kernels->lstm_packed_length(plain.args, LstmPass::forward));
      kernels->lstm_pack(machine.context(), plain.args, LstmPass::forward, plain.args.weights,
                         weights.data());
      packed.args.packed = weights.data();
      packed.args.y = packed.y.data();
      packed.args.hn = packed.hn.data();
      packed.args.cn = packed.cn.data();
      kernels->lstm_forward(machine.context(), &packed.args, 1);
      expect(same_bits(plain.y, packed.y) && same_bits(plain.cn, packed.cn), "%s: %s", kernels->name, c.name);
    }
  }
}

TEST("a training step's bits depend neither on the threads nor on when weights are packed") {
  std::vector<Case> cases(std::begin(kCases), std::end(kCases));
  // 4H is more than a chunk of a product's sum.
  cases.push_back({"long", 5, 40, 33, 129, 0, false, true, true, false, false, false, false, 0});
  for (const Kernels* kernels : targets()) {
    for (const Case& c : cases) {
      const Model m = make(c);
      Floats first[kArrays];
      for (int variant = 0; variant < 8; variant++) {
        const int threads = 1 + variant / 2;
        const bool is_packed = variant % 2 == 1;
        Machine machine(threads);
        Run run = forward(kernels, m, machine, true);
        constexpr LstmPass kPass = LstmPass::backward_to_input;
        Floats panels(kernels->lstm_packed_length(run.args, kPass));
        kernels->lstm_pack(machine.context(), run.args, kPass, run.args.weights, panels.data());
        run.args.packed = is_packed ? panels.data() : nullptr;
        Floats gradients[kArrays];
        for (int i = 0; i < kArrays; i++) gradients[i] = Floats(m.arrays[i].size());
        backward(kernels, m, run, machine, gradients);
        for (int i = 0; i < kArrays; i++) {
          if (variant == 0) first[i] = gradients[i];
          expect(same_bits(first[i], gradients[i]), "%s: %s: d%s has other bits with %d threads%s",
                 kernels->name, c.name, kNames[i], threads, is_packed ? ", packed" : "");
        }
      }
    }
  }
}

}  // namespace lstm_native::test
