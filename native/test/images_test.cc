// Convolution of images and batch normalisation on every target against double precision.
#include "windows.h"

namespace lstm_native::test {

namespace {
// Few rows and columns, since every product is visited.
Windows few_windows(Random& random) { return any_windows(random, 9, 4, 4); }

// Visits every product of the convolution: window and output, place and channel, and element of the weight.
template <typename Visit>
void each_product(const Conv2dArgs& args, const Visit& visit) {
  const Windows &rows = args.rows, &columns = args.columns;
  const int outputs = args.O / args.groups, width = args.width();
  for (int n = 0; n < args.B * rows.S * columns.S; n++) {
    const int b = n / (rows.S * columns.S), r = n / columns.S % rows.S, c = n % columns.S;
    for (int o = 0; o < args.O; o++) {
      for (int k = 0; k < rows.size; k++) {
        for (int l = 0; l < columns.size; l++) {
          const int h = step_of(rows, r, k), w = step_of(columns, c, l);
          if (h < 0 || h >= rows.T || w < 0 || w >= columns.T) continue;
          for (int i = 0; i < width; i++) {
            visit(n * args.O + o, ((b * rows.T + h) * columns.T + w) * args.I + o / outputs * width + i,
                  ((o * width + i) * rows.size + k) * columns.size + l);
          }
        }
      }
    }
  }
}

void check_convolution(const Kernels* kernels, Machine& machine, int turn, Random& random, Conv2dArgs args) {
  const int windows = args.B * args.rows.S * args.columns.S, taps = args.rows.size * args.columns.size;
  const Floats x = random.numbers(args.B * args.rows.T * args.columns.T * args.I);
  const Floats weight = random.numbers(args.O * args.width() * taps), bias = random.numbers(args.O);
  const Floats dy = random.numbers(windows * args.O);
  Floats y(dy.size()), dx = random.numbers(x.size()), dweight = random.numbers(weight.size());
  Floats dbias = random.numbers(args.O);
  Doubles ry(y.size()), rdx = widen(dx), rdweight = widen(dweight), rdbias = widen(dbias);
  for (int i = 0; i < windows * args.O; i++) {
    ry[i] = bias[i % args.O];
    rdbias[i % args.O] += dy[i];
  }
  each_product(args, [&](int to, int from, int tap) {
    ry[to] += static_cast<double>(x[from]) * weight[tap];
    rdx[from] += static_cast<double>(dy[to]) * weight[tap];
    rdweight[tap] += static_cast<double>(dy[to]) * x[from];
  });
  args.x = x.data();
  args.weight = weight.data();
  args.bias = bias.data();
  args.y = y.data();
  args.dy = dy.data();
  args.dx = dx.data();
  args.dweight = dweight.data();
  args.dbias = dbias.data();
  kernels->conv2d_forward(machine.context(), args);
  check(kernels, "conv2d y", turn, y, ry, taps * args.width());
  Floats packed(kernels->conv2d_packed_length(args.shape())), from_packed(y.size());
  kernels->conv2d_pack(machine.context(), args.shape(), weight.data(), packed.data());
  Conv2dArgs of_packed = args;
  of_packed.weight = nullptr;
  of_packed.packed = packed.data();
  of_packed.y = from_packed.data();
  kernels->conv2d_forward(machine.context(), of_packed);
  expect(same_bits(from_packed, y), "%s: conv2d of turn %d: other bits of packed weights", kernels->name,
         turn);
  kernels->conv2d_backward(machine.context(), args);
  check(kernels, "conv2d dx", turn, dx, rdx, taps * args.O);
  check(kernels, "conv2d dweight", turn, dweight, rdweight, windows);
  check(kernels, "conv2d dbias", turn, dbias, rdbias, windows);
}
}  // namespace

TEST("convolutions of images forward and backward equal the double loops") {
  constexpr int kChannels[] = {1, 2, 7, 8, 9, 17};
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 60; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      Conv2dArgs args = {};
      args.rows = few_windows(random);
      args.columns = few_windows(random);
      args.groups = turn % 4 == 3 ? 1 + random.below(9) : 1;
      args.B = 1 + random.below(3);
      args.I = args.groups * kChannels[turn % 6 % (args.groups > 1 ? 3 : 6)];
      args.O = args.groups * kChannels[turn * 5 % 6 % (args.groups > 1 ? 3 : 6)];
      check_convolution(kernels, machine, turn, random, args);
    }
  }
}

TEST("convolutions of more images than are stacked at a time equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    Random random(1);
    Conv2dArgs args = {};
    args.rows = args.columns = {40, 40, 3, 1, 1, 1};
    args.groups = 1;
    args.B = 9;
    args.I = 16;
    args.O = 3;
    check_convolution(kernels, machine, 0, random, args);
  }
}

TEST("batch normalisation forward and backward equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 60; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      const int N = turn % 20 == 19 ? 1200 : 3 + random.below(40), C = 1 + random.below(40);
      std::vector<std::uint8_t> mask(N);
      for (std::uint8_t& each : mask) each = random.below(3) != 0;
      mask[0] = mask[1] = 1;
      const Floats x = random.numbers(N * C), gain = random.numbers(C), shift = random.numbers(C);
      const Floats dy = random.numbers(N * C);
      Floats mean(C), variance(C), y(N * C), dx = random.numbers(N * C);
      Floats dgain = random.numbers(C), dshift = random.numbers(C);
      Doubles ry(N * C), rdx = widen(dx), rdgain = widen(dgain), rdshift = widen(dshift);
      const bool of_batch = turn % 4 != 3, masked = turn % 2 == 1;
      const auto counts = [&](int n) { return !masked || mask[n] != 0; };
      for (int c = 0; c < C; c++) {
        double count = 0, sum = 0, squares = 0, slope = 0, total = 0;
        for (int n = 0; n < N; n++) count += counts(n), sum += counts(n) ? x[n * C + c] : 0;
        for (int n = 0; n < N; n++) squares += counts(n) ? std::pow(x[n * C + c] - sum / count, 2) : 0;
        const double rstd = 1 / std::sqrt(squares / count + 0.1);
        const auto hat = [&](int n) { return (x[n * C + c] - sum / count) * rstd; };
        for (int n = 0; n < N; n++) {
          ry[n * C + c] = hat(n) * gain[c] + shift[c];
          total += dy[n * C + c];
          slope += dy[n * C + c] * hat(n);
        }
        rdgain[c] += slope;
        rdshift[c] += total;
        for (int n = 0; n < N; n++) {
          const double through = of_batch && counts(n) ? (total + hat(n) * slope) / count : 0;
          rdx[n * C + c] += rstd * gain[c] * (dy[n * C + c] - through);
        }
      }
      BatchNormArgs args = {};
      args.N = N;
      args.C = C;
      args.mask = masked ? mask.data() : nullptr;
      args.x = x.data();
      args.mean = mean.data();
      args.variance = variance.data();
      args.gain = gain.data();
      args.shift = shift.data();
      args.eps = 0.1f;
      args.y = y.data();
      args.of_batch = of_batch;
      args.dy = dy.data();
      args.dx = dx.data();
      args.dgain = dgain.data();
      args.dshift = dshift.data();
      kernels->batch_norm_statistics(machine.context(), args);
      kernels->batch_norm_forward(machine.context(), args);
      check(kernels, "batch norm y", turn, y, ry, 2);
      kernels->batch_norm_backward(machine.context(), args);
      check(kernels, "batch norm dx", turn, dx, rdx, 2);
      check(kernels, "batch norm dgain", turn, dgain, rdgain, 2);
      check(kernels, "batch norm dshift", turn, dshift, rdshift, 2);
    }
  }
}

}  // namespace lstm_native::test
