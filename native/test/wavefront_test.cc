// A stack of layers as a wavefront against the same layers one after the other on one thread: not a bit may
// differ.
#include "check.h"

namespace lstm_native::test {

namespace {
struct Stack {
  int L, B, T, I, H, P;
  bool reverse, lengths, norm, peepholes, state;
};

struct Result {
  Floats y, states;
};

struct Layers {
  Stack s;
  Floats x, states;
  std::vector<std::int32_t> lengths;
  std::vector<Floats> packed;
  std::vector<LstmShape> shapes;

  Layers(const Kernels* kernels, const Stack& stack) : s(stack) {
    Machine machine;
    Random random(static_cast<std::uint64_t>(s.L * 100 + s.H + s.T));
    x = random.numbers(static_cast<std::size_t>(s.B * s.T * s.I));
    states = random.numbers(static_cast<std::size_t>(s.B * state_width()));
    for (int b = 0; b < s.B; b++) lengths.push_back(b == 1 ? 0 : 1 + random.below(s.T));
    for (int l = 0; l < s.L; l++) {
      const LstmShape shape = {s.B, s.T, l == 0 ? s.I : R(), s.H, s.P, s.norm, s.peepholes};
      const auto numbers = [&](int count) { return random.numbers(static_cast<std::size_t>(count)); };
      const Floats ih = numbers(4 * s.H * shape.I), hh = numbers(4 * s.H * R()), bias = numbers(4 * s.H);
      const Floats projection = numbers(s.P * s.H), rest = numbers(4 * s.H);
      LstmWeights<const float> weights = {};
      weights.weight_ih = ih.data();
      weights.weight_hh = hh.data();
      weights.bias_ih = weights.bias_hh = bias.data();
      weights.weight_hr = projection.data();
      weights.peephole = weights.norm_ih = weights.norm_hh = weights.norm_cell = rest.data();
      packed.emplace_back(kernels->lstm_packed_length(shape, LstmPass::forward));
      kernels->lstm_pack(machine.context(), shape, LstmPass::forward, weights, packed.back().data());
      shapes.push_back(shape);
    }
  }

  int R() const { return s.P > 0 ? s.P : s.H; }
  int state_width() const { return s.L * (R() + s.H); }

  // Runs the layers by themselves, or as a stack. New states go where the old ones were.
  Result run(const Kernels* kernels, Machine& machine, bool as_stack) const {
    std::vector<Floats> outputs(s.L, Floats(s.B * s.T * R(), 77.0f));
    Floats carried = states;
    std::vector<LstmArgs> layers(s.L);
    for (int l = 0; l < s.L; l++) {
      LstmArgs& args = layers[l] = {};
      static_cast<LstmShape&>(args) = shapes[l];
      args.reverse = s.reverse;
      args.lengths = s.lengths ? lengths.data() : nullptr;
      args.packed = packed[l].data();
      args.x = l == 0 ? x.data() : outputs[l - 1].data();
      args.x_time_stride = args.I;
      args.x_batch_stride = s.T * args.I;
      args.h_stride = args.c_stride = state_width();
      args.hn = carried.data() + l * (R() + s.H);
      args.cn = args.hn + R();
      args.h0 = s.state ? args.hn : nullptr;
      args.c0 = s.state ? args.cn : nullptr;
      args.eps = 1e-2f;
      args.zoneout_cell = {nullptr, 0.2f};
      args.y = outputs[l].data();
      args.y_time_stride = R();
      args.y_batch_stride = s.T * R();
      if (!as_stack) kernels->lstm_forward(machine.context(), &args, 1);
    }
    if (as_stack) kernels->lstm_stack_forward(machine.context(), layers.data(), s.L);
    return {outputs.back(), carried};
  }
};

void check(const Kernels* kernels, const Stack& s) {
  const Layers layers(kernels, s);
  Machine alone(1);
  const Result expected = layers.run(kernels, alone, false);
  for (int threads = 1; threads <= 4; threads++) {
    Machine machine(threads, Sharing::layers);
    const Result result = layers.run(kernels, machine, true);
    expect(same_bits(result.y, expected.y) && same_bits(result.states, expected.states),
           "%s: L=%d B=%d T=%d I=%d H=%d P=%d on %d threads differs", kernels->name, s.L, s.B, s.T, s.I, s.H,
           s.P, threads);
  }
}
}  // namespace

TEST("a wavefront gives the bits of its layers in turn, at awkward sizes and any number of threads") {
  for (const Kernels* kernels : targets()) {
    for (int L : {2, 3, 5}) {
      for (int H : {1, 7, 16, 33}) {
        for (int T : {1, 2, 5, 6, 7, 12, 13, 50}) {
          check(kernels, {L, 1, T, 3, H, 0, false, false, false, false, T % 2 == 0});
          check(kernels, {L, 1, T, 17, H, 0, false, false, false, false, T % 2 == 1});
        }
      }
    }
  }
}

TEST("a wavefront gives the bits of its layers in turn, with every option and in batches") {
  for (const Kernels* kernels : targets()) {
    for (int B : {1, 2, 5, 13}) {
      //             L  B  T   I   H   P  reverse lengths norm  peephole state
      check(kernels, {3, B, 17, 9, 18, 0, false, true, false, false, true});
      check(kernels, {3, B, 17, 9, 18, 0, true, true, false, true, true});
      check(kernels, {2, B, 17, 9, 18, 5, false, false, false, false, true});
      check(kernels, {5, B, 17, 9, 18, 0, false, true, true, false, false});
      check(kernels, {4, B, 9, 2, 33, 20, true, true, true, true, true});
    }
  }
}

}  // namespace lstm_native::test
