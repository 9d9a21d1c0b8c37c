// Kernels over rows (linear, embedding, layer norm, softmax, cross-entropy) on every target against double
// precision.
#include <algorithm>

#include "check.h"

namespace lstm_native::test {

namespace {
constexpr int kSizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129};
using Doubles = std::vector<double>;

Doubles widen(const Floats& values) { return Doubles(values.begin(), values.end()); }

// Every backward adds to its gradients; starting them from these shows one that overwrites.
Floats started(Random& random, int count) { return random.numbers(static_cast<std::size_t>(count)); }

void check(const Kernels* kernels, const char* what, int rows, int columns, const Floats& actual,
           const Doubles& expected, double bound) {
  const double error = norm_error(actual, expected);
  expect(error <= bound, "%s: %s [%d, %d]: error %.2g, bound %.2g", kernels->name, what, rows, columns, error,
         bound);
}
}  // namespace

TEST("linear forward and backward equal the double loops, with and without each gradient") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 60; turn++) {
      const int N = kSizes[turn % 15], I = kSizes[(turn * 4 + 3) % 15],
                O = kSizes[(turn * 7 + turn / 15) % 15];
      Random random(static_cast<std::uint64_t>(turn));
      const Floats x = random.numbers(N * I), weight = random.numbers(O * I), bias = random.numbers(O);
      const Floats dy = random.numbers(N * O);
      const bool has_bias = turn % 3 != 0;
      Floats y(N * O), dx = started(random, N * I), dweight = started(random, O * I),
                       dbias = started(random, O);
      Doubles ry(N * O), rdx = widen(dx), rdweight = widen(dweight), rdbias = widen(dbias);
      for (int n = 0; n < N; n++) {
        for (int o = 0; o < O; o++) {
          double sum = has_bias ? bias[o] : 0;
          for (int i = 0; i < I; i++) {
            sum += static_cast<double>(x[n * I + i]) * weight[o * I + i];
            rdx[n * I + i] += static_cast<double>(dy[n * O + o]) * weight[o * I + i];
            rdweight[o * I + i] += static_cast<double>(dy[n * O + o]) * x[n * I + i];
          }
          ry[n * O + o] = sum;
          rdbias[o] += dy[n * O + o];
        }
      }
      LinearArgs args = {};
      args.N = N;
      args.I = I;
      args.O = O;
      args.x = x.data();
      args.weight = weight.data();
      args.bias = has_bias ? bias.data() : nullptr;
      args.y = y.data();
      args.dy = dy.data();
      args.dx = dx.data();
      args.dweight = dweight.data();
      args.dbias = has_bias ? dbias.data() : nullptr;
      kernels->linear_forward(machine.context(), args);
      check(kernels, "linear y", N, O, y, ry, sum_bound(I));
      Floats packed(kernels->linear_packed_length(I, O)), from_packed(N * O);
      kernels->linear_pack(I, O, weight.data(), packed.data());
      LinearArgs with_packed = args;
      with_packed.weight = nullptr;
      with_packed.packed = packed.data();
      with_packed.y = from_packed.data();
      kernels->linear_forward(machine.context(), with_packed);
      expect(same_bits(y, from_packed), "%s: linear [%d, %d]: packed weights give other bits", kernels->name,
             I, O);
      kernels->linear_backward(machine.context(), args);
      check(kernels, "linear dx", N, I, dx, rdx, sum_bound(O));
      check(kernels, "linear dweight", O, I, dweight, rdweight, sum_bound(N));
      if (has_bias) check(kernels, "linear dbias", 1, O, dbias, rdbias, sum_bound(N));
      const Floats kept = dweight;
      args.dx = args.dweight = args.dbias = nullptr;
      kernels->linear_backward(machine.context(), args);
      expect(same_bits(kept, dweight), "%s: linear wrote a gradient nobody asked for", kernels->name);
    }
  }
}

TEST("embedding copies rows and adds their gradients in order") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int E : kSizes) {
      const int N = 37, V = 5;
      Random random(static_cast<std::uint64_t>(E));
      const Floats weight = random.numbers(V * E), dy = random.numbers(N * E);
      Floats y(N * E), dweight = started(random, V * E);
      std::vector<std::int32_t> indices(N);
      for (auto& index : indices) index = random.below(V);
      Floats expected = dweight;  // in float, since the order of the sum is promised
      for (int n = 0; n < N; n++) {
        for (int e = 0; e < E; e++) expected[indices[n] * E + e] += dy[n * E + e];
      }
      const EmbeddingArgs args = {N, E, indices.data(), weight.data(), y.data(), dy.data(), dweight.data()};
      kernels->embedding_forward(machine.context(), args);
      for (int i = 0; i < N * E; i++) {
        expect(y[i] == weight[indices[i / E] * E + i % E], "%s: embedding E=%d: element %d", kernels->name, E,
               i);
      }
      kernels->embedding_backward(machine.context(), args);
      expect(same_bits(dweight, expected), "%s: embedding E=%d: dweight differs", kernels->name, E);
    }
  }
}

TEST("layer norm forward and backward equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 45; turn++) {
      const int N = kSizes[(turn * 4) % 15], F = kSizes[turn % 15];
      Random random(static_cast<std::uint64_t>(turn + 7));
      const bool affine = turn % 2 == 0;
      const Floats x = random.numbers(N * F), gain = random.numbers(F), shift = random.numbers(F);
      const Floats dy = random.numbers(N * F);
      // As large as the variance of a row of one element is small: the gradient stays well conditioned.
      const float eps = 1e-2f;
      Floats y(N * F), mean(N), rstd(N);
      Floats dx = started(random, N * F), dgain = started(random, F), dshift = started(random, F);
      Doubles ry(N * F), rdx = widen(dx), rdgain = widen(dgain), rdshift = widen(dshift);
      for (int n = 0; n < N; n++) {
        double average = 0, variance = 0;
        for (int f = 0; f < F; f++) average += x[n * F + f] / static_cast<double>(F);
        for (int f = 0; f < F; f++) variance += std::pow(x[n * F + f] - average, 2) / F;
        const double scale = 1 / std::sqrt(variance + eps);
        double sum = 0, projected = 0;
        for (int f = 0; f < F; f++) {
          const double normal = (x[n * F + f] - average) * scale, upstream = dy[n * F + f];
          ry[n * F + f] = affine ? normal * gain[f] + shift[f] : normal;
          rdgain[f] += upstream * normal;
          rdshift[f] += upstream;
          const double g = affine ? upstream * gain[f] : upstream;
          sum += g;
          projected += g * normal;
        }
        for (int f = 0; f < F; f++) {
          const double normal = (x[n * F + f] - average) * scale;
          const double g = affine ? static_cast<double>(dy[n * F + f]) * gain[f] : dy[n * F + f];
          rdx[n * F + f] += scale * (g - sum / F - normal * projected / F);
        }
      }
      LayerNormArgs args = {N,
                            F,
                            x.data(),
                            affine ? gain.data() : nullptr,
                            affine ? shift.data() : nullptr,
                            eps,
                            y.data(),
                            mean.data(),
                            rstd.data(),
                            dy.data(),
                            dx.data(),
                            affine ? dgain.data() : nullptr,
                            affine ? dshift.data() : nullptr};
      kernels->layer_norm_forward(machine.context(), args);
      // Subtracting the mean loses what x has in common, which for random rows is less than one bit.
      check(kernels, "layer norm y", N, F, y, ry, 2 * sum_bound(F));
      kernels->layer_norm_backward(machine.context(), args);
      check(kernels, "layer norm dx", N, F, dx, rdx, 4 * sum_bound(F));
      if (affine) {
        check(kernels, "layer norm dgain", 1, F, dgain, rdgain, 2 * sum_bound(N));
        check(kernels, "layer norm dshift", 1, F, dshift, rdshift, sum_bound(N));
      }
    }
  }
}

TEST("softmax and its logarithm equal the double loops and survive large inputs") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 60; turn++) {
      const int N = kSizes[(turn * 4) % 15], C = kSizes[turn % 15];
      const bool log = turn % 2 == 1;
      Random random(static_cast<std::uint64_t>(turn));
      Floats x = random.numbers(N * C);
      for (float& value : x) value = value * 8 + (turn % 4 == 2 ? 1e4f : 0);
      const Floats dy = random.numbers(N * C);
      Floats y(N * C), dx = started(random, N * C);
      Doubles ry(N * C), rdx = widen(dx);
      for (int n = 0; n < N; n++) {
        const double largest = *std::max_element(&x[n * C], &x[n * C] + C);
        double total = 0, upstream = 0;
        for (int c = 0; c < C; c++) total += std::exp(x[n * C + c] - largest);
        for (int c = 0; c < C; c++) {
          const double logarithm = x[n * C + c] - largest - std::log(total);
          ry[n * C + c] = log ? logarithm : std::exp(logarithm);
          upstream += log ? dy[n * C + c] : dy[n * C + c] * ry[n * C + c];
        }
        for (int c = 0; c < C; c++) {
          const double value = ry[n * C + c];
          rdx[n * C + c] +=
              log ? dy[n * C + c] - std::exp(value) * upstream : value * (dy[n * C + c] - upstream);
        }
      }
      const SoftmaxArgs args = {N, C, log, x.data(), y.data(), dy.data(), dx.data()};
      kernels->softmax_forward(machine.context(), args);
      // exp turns the rounding of its argument, here up to 16 wide, into a relative error.
      check(kernels, log ? "log softmax y" : "softmax y", N, C, y, ry, 16 * sum_bound(C));
      kernels->softmax_backward(machine.context(), args);
      check(kernels, log ? "log softmax dx" : "softmax dx", N, C, dx, rdx, 16 * sum_bound(C));
    }
  }
}

TEST("softmax cross-entropy equals the double loops with class weights and ignored rows") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 60; turn++) {
      const int N = kSizes[(turn * 4 + turn / 15) % 15], C = kSizes[turn % 15];
      Random random(static_cast<std::uint64_t>(turn));
      Floats logits = random.numbers(N * C), weights = random.numbers(C), dlogits(N * C, 99.0f);
      for (float& value : logits) value *= 5;
      for (float& value : weights) value = value * value + 0.1f;
      const bool weighted = turn % 2 == 0;
      std::vector<std::int32_t> targets(N);
      for (auto& target : targets) target = random.below(4) == 0 ? -100 : random.below(C);
      Doubles expected(N * C);
      double sum = 0, weight = 0;
      for (int n = 0; n < N; n++) {
        if (targets[n] == -100) continue;
        const double w = weighted ? weights[targets[n]] : 1;
        double total = 0;
        for (int c = 0; c < C; c++) total += std::exp(static_cast<double>(logits[n * C + c]));
        sum += w * (std::log(total) - logits[n * C + targets[n]]);
        weight += w;
        for (int c = 0; c < C; c++) {
          expected[n * C + c] =
              w * (std::exp(static_cast<double>(logits[n * C + c])) / total - (c == targets[n]));
        }
      }
      CrossEntropyArgs args = {
          N, C, logits.data(), targets.data(), weighted ? weights.data() : nullptr, -100, 0, dlogits.data(),
          0, 0};
      kernels->softmax_cross_entropy(machine.context(), args);
      const double bound = 16 * sum_bound(C);  // as for softmax
      expect(std::fabs(args.sum - sum) <= bound * std::fmax(sum, 1),
             "%s: cross-entropy [%d, %d]: sum %.9g, expected %.9g", kernels->name, N, C, args.sum, sum);
      expect(std::fabs(args.weight - weight) <= 1e-6 * weight,
             "%s: cross-entropy [%d, %d]: weight %.9g, expected %.9g", kernels->name, N, C, args.weight,
             weight);
      check(kernels, "cross-entropy dlogits", N, C, dlogits, expected, bound);
    }
  }
}

TEST("a sum over rows and a row added to every row equal the double loops") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 45; turn++) {
      const int N = kSizes[(turn * 4) % 15], F = kSizes[turn % 15];
      Random random(static_cast<std::uint64_t>(turn));
      const Floats x = random.numbers(N * F), row = random.numbers(F);
      Floats sum = started(random, F), all = started(random, N * F);
      Doubles expected_sum = widen(sum), expected_all = widen(all);
      for (int i = 0; i < N * F; i++) {
        expected_sum[i % F] += x[i];
        expected_all[i] += row[i % F];
      }
      kernels->sum_rows(machine.context(), N, F, x.data(), sum.data());
      check(kernels, "sum of rows", N, F, sum, expected_sum, sum_bound(N));
      kernels->add_rows(machine.context(), N, F, row.data(), all.data());
      check(kernels, "row added", N, F, all, expected_all, sum_bound(1));
    }
  }
}

}  // namespace lstm_native::test
