// The Elman network on every target, forward and backward, against loops in double precision.
#include <cmath>

#include "check.h"

namespace lstm_native::test {
namespace {

using Doubles = std::vector<double>;
using Integers = std::vector<std::int32_t>;

constexpr int kSizes[] = {1, 3, 7, 8, 9, 15, 16, 17, 33, 65};

// Arrays have exactly the size they must have, so that a sanitizer sees what reads beyond.
struct Problem {
  RnnArgs args = {};
  Integers lengths;
  Floats a, weight, bias, h0, dy, dhn;

  Problem(int turn, Random& random) {
    args.B = 1 + random.below(5);
    args.T = 1 + random.below(7);
    args.H = kSizes[turn % 10];
    args.relu = turn % 2 == 1;
    args.reverse = turn % 3 == 1;
    args.y_batch_stride = args.T * args.H;
    args.y_time_stride = args.H;
    const int B = args.B, T = args.T, H = args.H;
    for (int b = 0; b < B; b++) lengths.push_back(random.below(T + 1));
    a = random.numbers(B * T * H);
    weight = random.numbers(H * H);
    for (float& each : weight) each /= std::sqrt(static_cast<float>(H));
    bias = random.numbers(H);
    h0 = random.numbers(B * H);
    dy = random.numbers(B * T * H);
    dhn = random.numbers(B * H);
    if (turn % 4 > 0) args.lengths = lengths.data();
    if (turn % 5 > 0) args.bias_hh = bias.data();
    if (turn % 7 > 0) args.h0 = h0.data();
    if (turn % 5 != 3) args.dy = dy.data();
    if (turn % 7 != 3) args.dhn = dhn.data();
    args.a = a.data();
    args.weight_hh = weight.data();
  }

  int length(int b) const { return args.lengths != nullptr ? lengths[b] : args.T; }
  int time(int b, int n) const { return args.reverse ? length(b) - 1 - n : n; }
  std::size_t row(int b, int t) const { return (static_cast<std::size_t>(b) * args.T + t) * args.H; }
};

struct Results {
  Doubles y, hn, da, dh0, dweight, dbias;
};

Results loops(const Problem& p, const Floats& start) {
  const int B = p.args.B, T = p.args.T, H = p.args.H;
  const Doubles begin(start.begin(), start.end());
  const auto first = [&](std::size_t count) { return Doubles(begin.begin(), begin.begin() + count); };
  Results r = {Doubles(B * T * H), Doubles(B * H), first(B * T * H), first(B * H), first(H * H), first(H)};
  for (int b = 0; b < B; b++) {
    Doubles h(H), before(H);
    if (p.args.h0 != nullptr) h.assign(p.h0.begin() + b * H, p.h0.begin() + (b + 1) * H);
    const Doubles h_start = h;
    for (int n = 0; n < p.length(b); n++) {
      const std::size_t at = p.row(b, p.time(b, n));
      before = h;
      for (int j = 0; j < H; j++) {
        double sum = p.a[at + j] + (p.args.bias_hh != nullptr ? p.bias[j] : 0);
        for (int k = 0; k < H; k++) sum += double(p.weight[j * H + k]) * before[k];
        r.y[at + j] = h[j] = p.args.relu ? std::fmax(0, sum) : std::tanh(sum);
      }
    }
    Doubles dh(H), delta(H);
    for (int j = 0; j < H; j++) {
      r.hn[b * H + j] = h[j];
      if (p.args.dhn != nullptr) dh[j] = p.dhn[b * H + j];
    }
    for (int n = p.length(b) - 1; n >= 0; n--) {
      const std::size_t at = p.row(b, p.time(b, n));
      for (int j = 0; j < H; j++) {
        const double y = r.y[at + j], slope = p.args.relu ? (y > 0 ? 1 : 0) : 1 - y * y;
        delta[j] = (dh[j] + (p.args.dy != nullptr ? p.dy[at + j] : 0)) * slope;
        r.da[at + j] += delta[j];
        r.dbias[j] += delta[j];
      }
      for (int k = 0; k < H; k++) {
        const double h_before = n > 0 ? r.y[p.row(b, p.time(b, n - 1)) + k] : h_start[k];
        dh[k] = 0;
        for (int j = 0; j < H; j++) {
          dh[k] += delta[j] * p.weight[j * H + k];
          r.dweight[j * H + k] += delta[j] * h_before;
        }
      }
    }
    for (int j = 0; j < H; j++) r.dh0[b * H + j] += dh[j];
  }
  return r;
}

void compare(const Kernels* kernels, const char* name, int turn, const Floats& actual,
             const Doubles& expected) {
  // Errors of a step are carried to the next, through slopes of at most 1 and weights of norm about 1. What
  // is added up are numbers of about 1, which may cancel: errors are seen beside those, not beside what is
  // left.
  double size = 0;
  for (double each : expected) size += each * each;
  const double left = std::sqrt(size / expected.size());
  const double error = norm_error(actual, expected) * std::fmin(1, left > 0 ? left : 1), bound = 2e-6;
  expect(error <= bound, "%s: %s of problem %d is off by %.2e, more than %.2e", kernels->name, name, turn,
         error, bound);
}

}  // namespace

TEST("the Elman network forward and backward equals the double loops, on 1 and 3 threads to the bit") {
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 84; turn++) {
      Random random(turn);
      Problem p(turn, random);
      const int B = p.args.B, T = p.args.T, H = p.args.H;
      const Floats start = random.numbers(B * T * H + H * H + B * H + H);
      const auto first = [&](std::size_t count) { return Floats(start.begin(), start.begin() + count); };
      const Results expected = loops(p, start);
      Floats bits;
      for (int threads : {1, 3}) {
        Machine machine(threads);
        Floats y(B * T * H, 9), hn(B * H, 9), da = first(B * T * H), dh0 = first(B * H),
                                              dweight = first(H * H), dbias = first(H);
        p.args.y = y.data();
        p.args.hn = hn.data();
        kernels->rnn_forward(machine.context(), p.args);
        p.args.da = da.data();
        p.args.dh0 = dh0.data();
        p.args.dweight_hh = dweight.data();
        p.args.dbias_hh = dbias.data();
        kernels->rnn_backward(machine.context(), p.args);
        compare(kernels, "y", turn, y, expected.y);
        compare(kernels, "hn", turn, hn, expected.hn);
        compare(kernels, "da", turn, da, expected.da);
        compare(kernels, "dh0", turn, dh0, expected.dh0);
        compare(kernels, "dweight", turn, dweight, expected.dweight);
        compare(kernels, "dbias", turn, dbias, expected.dbias);
        Floats all;
        for (const Floats* each : {&y, &hn, &da, &dh0, &dweight, &dbias})
          all.insert(all.end(), each->begin(), each->end());
        if (threads > 1)
          expect(same_bits(all, bits), "%s: problem %d has other bits on 3 threads", kernels->name, turn);
        bits = all;
      }
    }
  }
}

}  // namespace lstm_native::test
