// The CTC loss on every target: against all paths one by one, and at awkward sizes.
#include <cmath>

#include "check.h"

namespace lstm_native::test {
namespace {

constexpr int kSizes[] = {2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65};
using Integers = std::vector<std::int32_t>;

// A batch whose arrays have exactly the size they must have, so that a sanitizer sees what reads beyond.
struct Problem {
  int B, T, C, S;
  std::int32_t blank;
  Floats logits;
  Integers targets, input_lengths, target_lengths;

  Problem(int b, int t, int c, int s, std::int32_t blank_class, Random& random)
      : B(b), T(t), C(c), S(s), blank(blank_class), logits(random.numbers(b * t * c)) {
    for (float& logit : logits) logit *= 3;
    for (int i = 0; i < B * S; i++) {
      const int label = random.below(C - 1);
      targets.push_back(label < blank ? label : label + 1);
    }
    for (int i = 0; i < B; i++) {
      input_lengths.push_back(T - i % (T + 1));
      target_lengths.push_back(i % (S + 1));
    }
  }

  void run(const Kernels* kernels, Machine& machine, Floats& losses, Floats& dlogits) const {
    CtcArgs args = {};
    args.B = B;
    args.T = T;
    args.C = C;
    args.S = S;
    args.logits = logits.data();
    args.targets = targets.data();
    args.input_lengths = input_lengths.data();
    args.target_lengths = target_lengths.data();
    args.blank = blank;
    losses.assign(B, 7);
    dlogits.assign(B * T * C, 7);
    args.losses = losses.data();
    args.dlogits = dlogits.data();
    kernels->ctc_loss(machine.context(), args);
  }
};

// Whether the classes, repeats merged and blanks left out, are the target of sequence b.
bool spells(const Problem& p, int b, const Integers& path) {
  int found = 0;
  for (std::size_t t = 0; t < path.size(); t++) {
    if (path[t] == p.blank || (t > 0 && path[t] == path[t - 1])) continue;
    if (found == p.target_lengths[b] || p.targets[b * p.S + found] != path[t]) return false;
    found++;
  }
  return found == p.target_lengths[b];
}

// P(target) of sequence b, and in `shares` the part of it that goes through each class at each step.
double all_paths(const Problem& p, int b, const std::vector<double>& softmax, std::vector<double>& shares) {
  const int steps = p.input_lengths[b];
  int paths = 1;
  for (int t = 0; t < steps; t++) paths *= p.C;
  double total = 0;
  for (int n = 0; n < paths; n++) {
    Integers path;
    double probability = 1;
    for (int t = 0, rest = n; t < steps; t++, rest /= p.C) {
      path.push_back(rest % p.C);
      probability *= softmax[t * p.C + path.back()];
    }
    if (!spells(p, b, path)) continue;
    total += probability;
    for (int t = 0; t < steps; t++) shares[t * p.C + path[t]] += probability;
  }
  return total;
}

}  // namespace

TEST("the CTC loss and its gradient are those of all paths") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int turn = 0; turn < 12; turn++) {
      Random random(turn);
      const int C = 2 + turn % 3;
      const Problem p(8, 4, C, 3, turn % C, random);
      Floats losses, dlogits;
      p.run(kernels, machine, losses, dlogits);
      for (int b = 0; b < p.B; b++) {
        const int steps = p.input_lengths[b];
        std::vector<double> softmax(p.T * C), shares(p.T * C), expected(p.T * C);
        for (int t = 0; t < steps; t++) {
          double sum = 0;
          for (int c = 0; c < C; c++) sum += std::exp(static_cast<double>(p.logits[(b * p.T + t) * C + c]));
          for (int c = 0; c < C; c++)
            softmax[t * C + c] = std::exp(static_cast<double>(p.logits[(b * p.T + t) * C + c])) / sum;
        }
        const double P = all_paths(p, b, softmax, shares);
        const double loss = -std::log(P);
        const bool equal = P > 0 ? std::fabs(losses[b] - loss) <= 1e-6 * (1 + loss) : losses[b] == HUGE_VALF;
        expect(equal, "%s: loss %d of turn %d is %.9g, not %.9g", kernels->name, b, turn, losses[b], loss);
        for (int i = 0; P > 0 && i < steps * C; i++) expected[i] = softmax[i] - shares[i] / P;
        const Floats own(dlogits.begin() + b * p.T * C, dlogits.begin() + (b + 1) * p.T * C);
        const double error = norm_error(own, expected);
        expect(error <= 2e-6, "%s: gradient %d of turn %d is off by %.2g", kernels->name, b, turn, error);
      }
    }
  }
}

TEST("the CTC loss has the same bits on any number of threads, and gradients that sum to 0 at a step") {
  for (const Kernels* kernels : targets()) {
    for (const int C : kSizes) {
      Random random(C);
      const Problem p(37, 19, C, 6, C / 2, random);
      Machine one(1), three(3);
      Floats losses, dlogits, other_losses, other_dlogits;
      p.run(kernels, one, losses, dlogits);
      p.run(kernels, three, other_losses, other_dlogits);
      expect(same_bits(losses, other_losses) && same_bits(dlogits, other_dlogits),
             "%s: C = %d differs by threads", kernels->name, C);
      for (int row = 0; row < p.B * p.T; row++) {
        double sum = 0;
        for (int c = 0; c < C; c++) sum += dlogits[row * C + c];
        expect(std::fabs(sum) < 4e-6, "%s: C = %d: row %d sums to %.2g", kernels->name, C, row, sum);
      }
    }
  }
}

}  // namespace lstm_native::test
