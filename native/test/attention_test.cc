// Attention and products of many matrices on every target against double precision.
#include "check.h"

namespace lstm_native::test {

namespace {
using Doubles = std::vector<double>;
using Bytes = std::vector<std::uint8_t>;

constexpr int kSizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65};

Doubles widen(const Floats& values) { return Doubles(values.begin(), values.end()); }

void check(const Kernels* kernels, const char* what, int turn, const Floats& actual, const Doubles& expected,
           double bound) {
  const double error = norm_error(actual, expected);
  expect(error <= bound, "%s: %s of turn %d: error %.2g, bound %.2g", kernels->name, what, turn, error,
         bound);
}

struct Case {
  AttentionArgs args;
  Floats q, k, v, vector, drop, dy, dweights;
  Bytes key_mask, mask;
};

Case any_case(int turn) {
  Random random(static_cast<std::uint64_t>(turn));
  Case c = {};
  AttentionArgs& args = c.args;
  args.B = 1 + random.below(3);
  args.T = 1 + random.below(4);
  args.N = 1 + random.below(3);
  args.S = kSizes[random.below(11)];
  args.D = kSizes[random.below(11)];
  args.E = kSizes[random.below(11)];
  args.scale = 1 / std::sqrt(static_cast<float>(args.D));
  c.q = random.numbers(static_cast<std::size_t>(args.B) * args.T * args.N * args.D);
  c.k = random.numbers(static_cast<std::size_t>(args.B) * args.S * args.N * args.D);
  c.v = random.numbers(static_cast<std::size_t>(args.B) * args.S * args.N * args.E);
  c.vector = random.numbers(static_cast<std::size_t>(args.N) * args.D);
  c.dy = random.numbers(static_cast<std::size_t>(args.B) * args.T * args.N * args.E);
  c.dweights = random.numbers(static_cast<std::size_t>(args.B) * args.N * args.T * args.S);
  c.drop = random.numbers(c.dweights.size());
  for (float& each : c.drop) each = each < 0 ? 0 : 1.5f;
  c.key_mask.resize(static_cast<std::size_t>(args.B) * args.S);
  c.mask.resize(static_cast<std::size_t>(args.B) * args.T * args.S);
  for (std::uint8_t& each : c.key_mask) each = random.below(4) > 0;
  for (std::uint8_t& each : c.mask) each = random.below(4) > 0;
  args.q = c.q.data();
  args.k = c.k.data();
  args.v = c.v.data();
  args.dy = c.dy.data();
  args.dweights = turn % 2 == 0 ? c.dweights.data() : nullptr;
  args.vector = turn % 3 == 2 ? c.vector.data() : nullptr;
  args.key_mask = turn % 4 > 1 ? c.key_mask.data() : nullptr;
  args.mask = turn % 5 > 2 ? c.mask.data() : nullptr;
  args.causal = turn % 6 == 5;
  args.drop = turn % 7 > 3 ? c.drop.data() : nullptr;
  return c;
}

struct Gradients {
  Doubles dq, dk, dv, dvector;
};

// One query of one head, forward and backward, in double.
void query(const AttentionArgs& a, int b, int n, int t, Doubles& y, Doubles& weights, Gradients& d) {
  const auto q = [&](int j) { return static_cast<std::size_t>((b * a.T + t) * a.N + n) * a.D + j; };
  const auto k = [&](int s, int j) { return static_cast<std::size_t>((b * a.S + s) * a.N + n) * a.D + j; };
  const auto v = [&](int s, int j) { return static_cast<std::size_t>((b * a.S + s) * a.N + n) * a.E + j; };
  const auto out = [&](int j) { return static_cast<std::size_t>((b * a.T + t) * a.N + n) * a.E + j; };
  const std::size_t row = static_cast<std::size_t>((b * a.N + n) * a.T + t) * a.S;
  double total = 0, mean = 0;
  for (int s = 0; s < a.S; s++) {
    if ((a.key_mask && !a.key_mask[b * a.S + s]) || (a.mask && !a.mask[(b * a.T + t) * a.S + s])) continue;
    if (a.causal && s > t) continue;
    double score = 0;
    for (int j = 0; j < a.D; j++) {
      score += a.vector ? a.vector[n * a.D + j] * std::tanh(static_cast<double>(a.q[q(j)]) + a.k[k(s, j)])
                        : static_cast<double>(a.q[q(j)]) * a.k[k(s, j)];
    }
    total += weights[row + s] = std::exp(a.scale * score);
  }
  Doubles dw(a.S, 0);
  for (int s = 0; s < a.S && total > 0; s++) {
    weights[row + s] /= total;
    if (weights[row + s] == 0) continue;
    const double factor = a.drop ? a.drop[row + s] : 1;
    dw[s] = a.dweights ? a.dweights[row + s] : 0;
    for (int j = 0; j < a.E; j++) {
      y[out(j)] += factor * weights[row + s] * a.v[v(s, j)];
      dw[s] += factor * a.dy[out(j)] * a.v[v(s, j)];
      d.dv[v(s, j)] += factor * weights[row + s] * a.dy[out(j)];
    }
    mean += weights[row + s] * dw[s];
  }
  for (int s = 0; s < a.S; s++) {
    const double slope = a.scale * weights[row + s] * (dw[s] - mean);
    for (int j = 0; j < a.D; j++) {
      const double value = std::tanh(static_cast<double>(a.q[q(j)]) + a.k[k(s, j)]);
      const double both = a.vector ? slope * a.vector[n * a.D + j] * (1 - value * value) : 0;
      d.dq[q(j)] += a.vector ? both : slope * a.k[k(s, j)];
      d.dk[k(s, j)] += a.vector ? both : slope * a.q[q(j)];
      if (a.vector) d.dvector[n * a.D + j] += slope * value;
    }
  }
}
}  // namespace

TEST("attention forward and backward equals the double loops, masked or not") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 120; turn++) {
      Case c = any_case(turn);
      AttentionArgs& args = c.args;
      Random random(99);
      Floats y(c.dy.size()), weights(c.dweights.size()), dq = random.numbers(c.q.size());
      Floats dk = random.numbers(c.k.size()), dv = random.numbers(c.v.size());
      Floats dvector = random.numbers(c.vector.size());
      Doubles ry(y.size()), rweights(weights.size());
      Gradients expected = {widen(dq), widen(dk), widen(dv), widen(dvector)};
      for (int i = 0; i < args.B * args.N * args.T; i++) {
        query(args, i / args.T / args.N, i / args.T % args.N, i % args.T, ry, rweights, expected);
      }
      args.y = y.data();
      args.weights = weights.data();
      args.dq = dq.data();
      args.dk = dk.data();
      args.dv = dv.data();
      args.dvector = args.vector != nullptr ? dvector.data() : nullptr;
      kernels->attention_forward(machine.context(), args);
      kernels->attention_backward(machine.context(), args);
      // The rounding of scores goes through exp into the weights, and through their difference into
      // gradients.
      const double bound = 8 * sum_bound(args.S + args.D + args.E);
      check(kernels, "attention y", turn, y, ry, bound);
      check(kernels, "attention weights", turn, weights, rweights, bound);
      check(kernels, "attention dq", turn, dq, expected.dq, bound);
      check(kernels, "attention dk", turn, dk, expected.dk, bound);
      check(kernels, "attention dv", turn, dv, expected.dv, bound);
      check(kernels, "attention dvector", turn, dvector, expected.dvector, bound);
    }
  }
}

TEST("products of many matrices have the bits of each alone") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 60; turn++) {
      Random random(static_cast<std::uint64_t>(turn));
      BatchedGemmArgs args = {};
      args.batch = 1 + random.below(5);
      args.M = kSizes[random.below(11)];
      args.N = kSizes[random.below(11)];
      args.K = turn % 7 == 6 ? 600 : kSizes[random.below(11)];
      args.transpose_a = turn % 2 == 1;
      args.transpose_b = turn % 4 > 1;
      args.accumulate = turn % 3 == 1;
      args.lda = args.transpose_a ? args.M : args.K;
      args.ldb = args.transpose_b ? args.K : args.N;
      args.ldc = args.N;
      const std::size_t a = static_cast<std::size_t>(args.M) * args.K,
                        b = static_cast<std::size_t>(args.K) * args.N;
      const std::size_t out = static_cast<std::size_t>(args.M) * args.N;
      const Floats A = random.numbers(args.batch * a), B = random.numbers(args.batch * b);
      Floats together = random.numbers(args.batch * out), alone = together;
      args.A = A.data();
      args.B = B.data();
      args.C = together.data();
      kernels->batched_gemm(machine.context(), args);
      for (int i = 0; i < args.batch; i++) {
        GemmArgs one = args;
        one.A = A.data() + i * a;
        one.B = B.data() + i * b;
        one.C = alone.data() + i * out;
        kernels->gemm(machine.context(), one);
      }
      expect(same_bits(together, alone), "%s: turn %d: other bits", kernels->name, turn);
    }
  }
}

}  // namespace lstm_native::test
