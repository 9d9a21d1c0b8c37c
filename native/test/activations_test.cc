// The largest errors of exp, sigmoid and tanh, over all floats or (unless --exhaustive) every 257th, against
// double precision. The bounds are those that native/math/activations.h states.
#include <cfloat>
#include <limits>

#include "check.h"

namespace lstm_native::test {

namespace {
double exact(Unary kind, double x) {
  switch (kind) {
    case Unary::exp:
      return std::exp(x);
    case Unary::sigmoid:
      return 1 / (1 + std::exp(-x));
    default:
      return std::tanh(x);
  }
}

// The distance of two neighbouring floats around the exact value.
double ulp(double exact_value) {
  int exponent;
  std::frexp(exact_value, &exponent);
  return std::ldexp(1.0, std::fmax(exponent, -125) - 24);
}

struct Worst {
  double error = 0;
  float x = 0, y = 0;
};

// The largest error in ulp over the floats of [low, high], taking every `stride`th bit pattern.
Worst largest_error(const Kernels& kernels, Unary kind, float low, float high, std::uint32_t stride) {
  constexpr std::size_t kBlock = 4096;
  Floats x, y(kBlock);
  x.reserve(kBlock);
  Worst worst;
  const auto flush = [&] {
    kernels.activation(kind, x.size(), x.data(), y.data());
    for (std::size_t i = 0; i < x.size(); i++) {
      const double truth = exact(kind, x[i]);
      const double error = std::fabs(y[i] - truth) / ulp(truth);
      if (!(error <= worst.error)) worst = {error, x[i], y[i]};
    }
    x.clear();
  };
  for (std::uint64_t bits = 0; bits <= 0xffffffffu; bits += stride) {
    const std::uint32_t pattern = static_cast<std::uint32_t>(bits);
    float value;
    std::memcpy(&value, &pattern, sizeof value);
    if (!(value >= low && value <= high)) continue;
    x.push_back(value);
    if (x.size() == kBlock) flush();
  }
  flush();
  return worst;
}

void check(Unary kind, const char* name, float low, float high, double bound) {
  for (const Kernels* kernels : targets()) {
    const Worst worst = largest_error(*kernels, kind, low, high, exhaustive() ? 1 : 257);
    std::printf("      %-7s %-8s largest error %.3f ulp, at %.9g (stated: %.3f)\n", kernels->name, name,
                worst.error, worst.x, bound);
    expect(worst.error <= bound, "%s: %s(%.9g) = %.9g is off by %.3f ulp, stated: %.3f", kernels->name, name,
           worst.x, worst.y, worst.error, bound);
  }
}

Floats activate(const Kernels& kernels, Unary kind, const Floats& x) {
  Floats y(x.size());
  kernels.activation(kind, x.size(), x.data(), y.data());
  return y;
}
}  // namespace

TEST("exp stays within its stated error") { check(Unary::exp, "exp", -87.3f, 88.7f, kExpUlp); }

TEST("sigmoid stays within its stated error") {
  check(Unary::sigmoid, "sigmoid", -87.0f, FLT_MAX, kSigmoidUlp);
}

TEST("tanh stays within its stated error") { check(Unary::tanh, "tanh", -FLT_MAX, FLT_MAX, kTanhUlp); }

TEST("exp, sigmoid and tanh end where they should: infinities, saturation, NaN") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const Kernels* kernels : targets()) {
    // 17 at once, so that the same input stands in full vectors and in the rest.
    for (std::size_t copies : {1, 17}) {
      const auto is = [&](Unary kind, float x, float y) {
        for (float actual : activate(*kernels, kind, Floats(copies, x))) {
          expect(actual == y || (std::isnan(actual) && std::isnan(y)),
                 "%s: function %d of %g is %.9g, not %.9g", kernels->name, static_cast<int>(kind), x, actual,
                 y);
        }
      };
      is(Unary::exp, -infinity, 0);
      is(Unary::exp, -105, 0);
      is(Unary::exp, 0, 1);
      is(Unary::exp, 89, infinity);
      is(Unary::exp, infinity, infinity);
      is(Unary::exp, nan, nan);
      is(Unary::sigmoid, infinity, 1);
      is(Unary::sigmoid, 0, 0.5f);
      is(Unary::sigmoid, nan, nan);
      is(Unary::tanh, infinity, 1);
      is(Unary::tanh, -infinity, -1);
      is(Unary::tanh, 20, 1);
      is(Unary::tanh, 0, 0);
      is(Unary::tanh, nan, nan);
      for (float far : {-88.0f, -1000.0f, -infinity}) {
        const float y = activate(*kernels, Unary::sigmoid, Floats(copies, far))[copies - 1];
        expect(y >= 0 && y < 2e-38f, "%s: sigmoid(%g) is %.9g", kernels->name, far, y);
      }
    }
  }
}

TEST("an activation's bits do not depend on where in the array its input stands") {
  for (const Kernels* kernels : targets()) {
    Random random(5);
    Floats x = random.numbers(67);
    for (float& value : x) value *= 20;
    for (Unary kind : {Unary::exp, Unary::sigmoid, Unary::tanh}) {
      const Floats whole = activate(*kernels, kind, x);
      for (std::size_t i = 0; i < x.size(); i++) {
        expect(same_bits(activate(*kernels, kind, {x[i]}), {whole[i]}), "%s: function %d, element %zu",
               kernels->name, static_cast<int>(kind), i);
      }
    }
  }
}

}  // namespace lstm_native::test
