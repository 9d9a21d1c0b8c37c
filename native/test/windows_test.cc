// Convolution and pooling along the time axis on every target against double precision.
#include "windows.h"

namespace lstm_native::test {

namespace {
constexpr int kChannels[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33};

// A forward and a backward pass with `width` channels in and `outputs` out for each group.
void check_convolution(const Kernels* kernels, Machine& machine, int turn, Random& random, Conv1dArgs args,
                       int width, int outputs) {
  const Windows& w = args.windows;
  const int B = args.B, I = args.I = width * args.groups, O = args.O = outputs * args.groups;
  const Floats x = random.numbers(B * w.T * I), weight = random.numbers(O * width * w.size);
  const Floats bias = random.numbers(O), dy = random.numbers(B * w.S * O);
  Floats y(dy.size()), dx = random.numbers(x.size()), dweight = random.numbers(weight.size());
  Floats dbias = random.numbers(O);
  Doubles ry(y.size()), rdx = widen(dx), rdweight = widen(dweight), rdbias = widen(dbias);
  for (int row = 0; row < B * w.S; row++) {
    for (int o = 0; o < O; o++) {
      ry[row * O + o] = bias[o];
      rdbias[o] += dy[row * O + o];
      for (int k = 0; k < w.size; k++) {
        const int t = step_of(w, row % w.S, k);
        if (t < 0 || t >= w.T) continue;
        for (int i = 0; i < width; i++) {
          const int at = (row / w.S * w.T + t) * I + o / outputs * width + i;
          const int tap = (o * width + i) * w.size + k;
          ry[row * O + o] += static_cast<double>(x[at]) * weight[tap];
          rdx[at] += static_cast<double>(dy[row * O + o]) * weight[tap];
          rdweight[tap] += static_cast<double>(dy[row * O + o]) * x[at];
        }
      }
    }
  }
  args.x = x.data();
  args.weight = weight.data();
  args.bias = bias.data();
  args.y = y.data();
  args.dy = dy.data();
  args.dx = dx.data();
  args.dweight = dweight.data();
  args.dbias = dbias.data();
  kernels->conv1d_forward(machine.context(), args);
  check(kernels, "conv1d y", turn, y, ry, w.size * width);
  Floats packed(kernels->conv1d_packed_length(args.shape())), from_packed(y.size());
  kernels->conv1d_pack(machine.context(), args.shape(), weight.data(), packed.data());
  Conv1dArgs of_packed = args;
  of_packed.weight = nullptr;
  of_packed.packed = packed.data();
  of_packed.y = from_packed.data();
  kernels->conv1d_forward(machine.context(), of_packed);
  expect(same_bits(from_packed, y), "%s: conv1d of turn %d: other bits of packed weights", kernels->name,
         turn);
  kernels->conv1d_backward(machine.context(), args);
  check(kernels, "conv1d dx", turn, dx, rdx, w.size * outputs);
  check(kernels, "conv1d dweight", turn, dweight, rdweight, B * w.S);
  check(kernels, "conv1d dbias", turn, dbias, rdbias, B * w.S);
}
}  // namespace

TEST("convolutions forward and backward equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 100; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      Conv1dArgs args = {};
      args.windows = any_windows(random, 20, 5, 5);
      args.groups = turn % 4 == 3 ? 1 + random.below(3) : 1;
      args.B = 1 + random.below(3);
      check_convolution(kernels, machine, turn, random, args, kChannels[turn % 10], kChannels[turn * 3 % 7]);
    }
  }
}

TEST("convolutions of groups that are wider than a chunk of the product equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    // 512 is a whole number of the first's channels and not of the others'.
    for (int width : {64, 48, 200}) {
      Random random(static_cast<std::uint64_t>(width));
      Conv1dArgs args = {};
      args.windows = {20, 10, 11, 2, width == 200 ? 2 : 1, 5};
      args.groups = 2;
      args.B = 2;
      check_convolution(kernels, machine, width, random, args, width, 9);
    }
  }
}

TEST("convolutions of many narrow groups equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 100; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      Conv1dArgs args = {};
      args.windows = any_windows(random, 20, 5, 5);
      if (turn % 10 == 9) args.windows.S = args.windows.T = 130 + turn;
      args.groups = turn % 7 == 6 ? 64 : kChannels[turn % 10];
      args.B = 1 + random.below(3);
      const int width = 1 + random.below(5), outputs = 1 + random.below(5);
      check_convolution(kernels, machine, turn, random, args, turn % 3 == 0 ? 1 : width,
                        turn % 3 == 0 ? 1 : outputs);
    }
  }
}

TEST("a grouped convolution's bits do not depend on the threads or on what shares its batch") {
  for (const Kernels* kernels : targets()) {
    Random random(5);
    Conv1dArgs args = {};
    args.windows = {200, 200, 5, 1, 1, 2};
    args.groups = 70;
    args.I = args.O = 140;
    const Floats x = random.numbers(4 * 200 * 140), weight = random.numbers(140 * 2 * 5),
                 dy = random.numbers(x.size());
    const auto run = [&](int threads, int first, int B) {
      Machine machine(threads);
      Floats results[] = {Floats(x.size()), Floats(x.size()), Floats(weight.size())};
      args.B = B;
      args.x = x.data() + first * 200 * 140;
      args.weight = weight.data();
      args.dy = dy.data() + first * 200 * 140;
      args.y = results[0].data();
      args.dx = results[1].data();
      args.dweight = results[2].data();
      kernels->conv1d_forward(machine.context(), args);
      kernels->conv1d_backward(machine.context(), args);
      return std::vector<Floats>(std::begin(results), std::end(results));
    };
    const std::vector<Floats> alone = run(1, 0, 4);
    for (int threads : {2, 3}) {
      const std::vector<Floats> shared = run(threads, 0, 4);
      for (int i = 0; i < 3; i++)
        expect(same_bits(shared[i], alone[i]), "%s: %d threads", kernels->name, threads);
    }
    const std::vector<Floats> second = run(1, 1, 1);
    for (int i = 0; i < 2; i++) {
      expect(std::memcmp(second[i].data(), alone[i].data() + 200 * 140, sizeof(float) * 200 * 140) == 0,
             "%s: alone in its batch", kernels->name);
    }
  }
}

TEST("pools forward and backward equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 100; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      Pool1dArgs args = {};
      args.windows = any_windows(random, 20, 5, 5);
      const Windows& w = args.windows;
      const int C = args.C = kChannels[turn % 10], B = args.B = 1 + random.below(3);
      args.count_padding = turn % 2 == 1;
      std::vector<std::uint8_t> mask(B * w.T);
      for (std::uint8_t& each : mask) each = random.below(3) != 0;
      args.mask = turn % 3 == 0 ? mask.data() : nullptr;
      const Floats x = random.numbers(B * w.T * C), dy = random.numbers(B * w.S * C);
      for (Pool kind : {Pool::max, Pool::average}) {
        Floats y(dy.size()), dx = random.numbers(x.size());
        Doubles ry(y.size()), rdx = widen(dx);
        for (int i = 0; i < B * w.S * C; i++) {
          const int b = i / C / w.S, s = i / C % w.S;
          std::vector<int> counted;
          for (int k = 0; k < w.size; k++) {
            const int t = step_of(w, s, k);
            if (t < 0 || t >= w.T || (args.mask != nullptr && mask[b * w.T + t] == 0)) continue;
            counted.push_back((b * w.T + t) * C + i % C);
          }
          if (counted.empty()) continue;
          int largest = counted[0];
          double sum = 0;
          for (int at : counted) {
            if (x[at] > x[largest]) largest = at;
            sum += x[at];
          }
          const double n = args.count_padding ? w.size : static_cast<double>(counted.size());
          ry[i] = kind == Pool::max ? x[largest] : sum / n;
          if (kind == Pool::max) rdx[largest] += dy[i];
          if (kind == Pool::average) {
            for (int at : counted) rdx[at] += dy[i] / n;
          }
        }
        args.x = x.data();
        args.y = y.data();
        args.dy = dy.data();
        args.dx = dx.data();
        kernels->pool1d_forward(machine.context(), kind, args);
        check(kernels, "pool1d y", turn, y, ry, w.size);
        kernels->pool1d_backward(machine.context(), kind, args);
        check(kernels, "pool1d dx", turn, dx, rdx, w.size);
      }
    }
  }
}

}  // namespace lstm_native::test
