// Elementwise kernels, reductions, random masks and the optimizers' updates on every target against double
// precision.
#include <limits>

#include "check.h"

namespace lstm_native::test {

namespace {
using Doubles = std::vector<double>;

// Around every vector width, and beyond what one thread takes.
constexpr int kLengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 40000};

// One rounding of the result and one of what went into it, with room for a polynomial's own error.
constexpr double kElementBound = 8 * 0x1p-24;

void check(const Kernels* kernels, const char* what, int n, const Floats& actual, const Doubles& expected,
           double bound = kElementBound) {
  const double error = norm_error(actual, expected);
  expect(error <= bound, "%s: %s of %d: error %.2g, bound %.2g", kernels->name, what, n, error, bound);
}

// alpha and beta of the functions that have them.
constexpr UnaryNumbers kNumbers = {0.3f, 0.4f};

struct UnaryCase {
  Unary kind;
  const char* name;
  double (*value)(double x);
  double (*derivative)(double x);
  bool positive;  // defined for positive x only
};

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double normal_cumulative(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
constexpr double kAlpha = kNumbers.alpha, kBeta = kNumbers.beta, kSelu = 1.0507009873554805;
double clamp(double x, double low, double high) { return std::fmin(std::fmax(x, low), high); }
double gelu_tanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}
double mish(double x) { return x * std::tanh(std::log1p(std::exp(x))); }
double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)); }

const UnaryCase kUnaries[] = {
    {Unary::exp, "exp", [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }, false},
    {Unary::log, "log", [](double x) { return std::log(x); }, [](double x) { return 1 / x; }, true},
    {Unary::sigmoid, "sigmoid", logistic, [](double x) { return logistic(x) * (1 - logistic(x)); }, false},
    {Unary::tanh, "tanh", [](double x) { return std::tanh(x); },
     [](double x) { return 1 - std::tanh(x) * std::tanh(x); }, false},
    {Unary::relu, "relu", [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; },
     false},
    {Unary::gelu, "gelu", [](double x) { return x * normal_cumulative(x); },
     [](double x) { return normal_cumulative(x) + x * normal_density(x); }, false},
    {Unary::softplus, "softplus",
     [](double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, logistic, false},
    {Unary::square, "square", [](double x) { return x * x; }, [](double x) { return 2 * x; }, false},
    {Unary::sqrt, "sqrt", [](double x) { return std::sqrt(x); }, [](double x) { return 0.5 / std::sqrt(x); },
     true},
    {Unary::abs, "abs", [](double x) { return std::fabs(x); },
     [](double x) { return x > 0   ? 1.0
                           : x < 0 ? -1.0
                                   : 0; }, false},
    {Unary::negate, "negate", [](double x) { return -x; }, [](double) { return -1.0; }, false},
    {Unary::gelu_tanh, "geluTanh", gelu_tanh,
     [](double x) { return (gelu_tanh(x + 1e-6) - gelu_tanh(x - 1e-6)) / 2e-6; }, false},
    {Unary::relu6, "relu6", [](double x) { return clamp(x, 0, 6); },
     [](double x) { return x > 0 && x < 6 ? 1.0 : 0.0; }, false},
    {Unary::selu, "selu", [](double x) { return kSelu * (x < 0 ? 1.6732632423543772 * std::expm1(x) : x); },
     [](double x) { return kSelu * (x < 0 ? 1.6732632423543772 * std::exp(x) : 1); }, false},
    {Unary::softsign, "softsign", [](double x) { return x / (1 + std::fabs(x)); },
     [](double x) { return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x))); }, false},
    {Unary::silu, "silu", [](double x) { return x * logistic(x); },
     [](double x) { return logistic(x) * (1 + x * (1 - logistic(x))); }, false},
    {Unary::hard_silu, "hardSilu", [](double x) { return x * clamp(x / 6 + 0.5, 0, 1); },
     [](double x) { return x < -3  ? 0
                           : x < 3 ? x / 3 + 0.5
                                   : 1; }, false},
    {Unary::mish, "mish", mish, [](double x) { return (mish(x + 1e-6) - mish(x - 1e-6)) / 2e-6; }, false},
    {Unary::leaky_relu, "leakyRelu", [](double x) { return x < 0 ? kAlpha * x : x; },
     [](double x) { return x < 0 ? kAlpha : 1; }, false},
    {Unary::elu, "elu", [](double x) { return x < 0 ? kAlpha * std::expm1(x) : x; },
     [](double x) { return x < 0 ? kAlpha * std::exp(x) : 1; }, false},
    {Unary::hard_sigmoid, "hardSigmoid", [](double x) { return clamp(kAlpha * x + kBeta, 0, 1); },
     [](double x) { return kAlpha * x + kBeta > 0 && kAlpha * x + kBeta < 1 ? kAlpha : 0; }, false},
};

// The definition of lib/random.ts, restated.
std::uint32_t mix(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}
std::uint32_t hash(std::uint32_t seed, std::uint32_t index) {
  return mix(mix(index + mix(seed)) ^ mix(seed ^ 0x9e3779b9u));
}
}  // namespace

TEST("every unary function and its derivative equal the double ones") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (const UnaryCase& function : kUnaries) {
      for (int n : kLengths) {
        Random random(static_cast<std::uint64_t>(n));
        Floats x = random.numbers(n), dy = random.numbers(n), dx = random.numbers(n), y(n);
        for (float& value : x) value = function.positive ? value * value + 0.01f : value * 4;
        Doubles ry(n), rdx(dx.begin(), dx.end());
        for (int i = 0; i < n; i++) {
          ry[i] = function.value(x[i]);
          rdx[i] += dy[i] * function.derivative(x[i]);
        }
        kernels->unary_forward(machine.context(), function.kind, kNumbers, n, x.data(), y.data());
        check(kernels, function.name, n, y, ry);
        kernels->unary_backward(
            machine.context(), function.kind,
            {static_cast<std::size_t>(n), x.data(), y.data(), dy.data(), dx.data(), kNumbers});
        check(kernels, function.name, n, dx, rdx);
      }
    }
  }
}

TEST("unary functions hand NaN through") {
  Machine machine;
  for (const Kernels* kernels : targets()) {
    for (const UnaryCase& function : kUnaries) {
      Floats x(19, std::nanf("")), y(19, 0.0f);
      kernels->unary_forward(machine.context(), function.kind, kNumbers, x.size(), x.data(), y.data());
      for (float value : y)
        expect(std::isnan(value), "%s: %s(NaN) is %g", kernels->name, function.name, value);
    }
  }
}

TEST("binary functions, axpy and multiply-add equal the double ones") {
  Machine machine(2);
  for (const Kernels* kernels : targets()) {
    for (int n : kLengths) {
      Random random(static_cast<std::uint64_t>(n));
      const Floats a = random.numbers(n);
      Floats b = random.numbers(n), y(n), sum = random.numbers(n), product = random.numbers(n);
      for (float& value : b) value += value < 0 ? -0.1f : 0.1f;  // a divisor
      const auto test = [&](Binary kind, const char* name, double (*combine)(double, double)) {
        Doubles expected(n);
        for (int i = 0; i < n; i++) expected[i] = combine(a[i], b[i]);
        kernels->binary(machine.context(), kind, n, a.data(), b.data(), y.data());
        check(kernels, name, n, y, expected);
      };
      test(Binary::add, "add", [](double p, double q) { return p + q; });
      test(Binary::subtract, "subtract", [](double p, double q) { return p - q; });
      test(Binary::multiply, "multiply", [](double p, double q) { return p * q; });
      test(Binary::divide, "divide", [](double p, double q) { return p / q; });
      test(Binary::maximum, "maximum", [](double p, double q) { return std::fmax(p, q); });
      test(Binary::minimum, "minimum", [](double p, double q) { return std::fmin(p, q); });
      Doubles expected_sum(sum.begin(), sum.end()), expected_product(product.begin(), product.end());
      for (int i = 0; i < n; i++) {
        expected_sum[i] += 0.75 * a[i];
        expected_product[i] += static_cast<double>(a[i]) * b[i];
      }
      kernels->axpy(machine.context(), n, 0.75f, a.data(), sum.data());
      check(kernels, "axpy", n, sum, expected_sum);
      kernels->multiply_add(machine.context(), n, a.data(), b.data(), product.data());
      check(kernels, "multiply-add", n, product, expected_product);
    }
  }
}

// Of x as a whole, which its parts, no whole chunks, agree with.
double squares_of(const Kernels& kernels, Machine& machine, const Floats& x) {
  const std::size_t cut = x.size() / 3;
  const Span whole = {x.data(), x.size()};
  const Span parts[] = {{x.data(), cut}, {x.data(), 0}, {x.data() + cut, x.size() - cut}};
  const double result = kernels.sum_of_squares(machine.context(), &whole, 1);
  const double sum = kernels.sum_of_squares(machine.context(), parts, 3);
  const double bound = sum_bound(static_cast<double>(x.size())) * result;
  expect(std::isnan(result) ? std::isnan(sum) : std::fabs(sum - result) <= bound,
         "%s: squares of %zu in parts: %.9g, expected %.9g", kernels.name, x.size(), sum, result);
  return result;
}

TEST("reductions equal the double ones, at any thread count the same, and find NaN") {
  for (const Kernels* kernels : targets()) {
    for (int n : kLengths) {
      Random random(static_cast<std::uint64_t>(n));
      Floats x = random.numbers(n);
      double sum = 0, squares = 0, largest = 0, magnitudes = 0;
      for (float value : x) {
        sum += value;
        magnitudes += std::fabs(value);
        squares += static_cast<double>(value) * value;
        largest = std::fmax(largest, std::fabs(value));
      }
      double first[3] = {};
      for (int threads = 1; threads <= 4; threads++) {
        Machine machine(threads);
        const double results[] = {kernels->reduce(machine.context(), Reduction::sum, n, x.data()),
                                  squares_of(*kernels, machine, x),
                                  kernels->reduce(machine.context(), Reduction::max_abs, n, x.data())};
        // Terms cancel in the plain sum: its error is measured against their magnitudes.
        expect(std::fabs(results[0] - sum) <= sum_bound(n) * magnitudes, "%s: sum of %d: %.9g, expected %.9g",
               kernels->name, n, results[0], sum);
        expect(std::fabs(results[1] - squares) <= sum_bound(n) * squares,
               "%s: squares of %d: %.9g, expected %.9g", kernels->name, n, results[1], squares);
        expect(results[2] == largest, "%s: largest of %d: %.9g, expected %.9g", kernels->name, n, results[2],
               largest);
        for (int i = 0; i < 3; i++) {
          if (threads == 1) first[i] = results[i];
          expect(results[i] == first[i], "%s: reduction %d of %d differs with %d threads", kernels->name, i,
                 n, threads);
        }
      }
      Machine machine(2);
      x[n / 2] = std::nanf("");
      expect(std::isnan(squares_of(*kernels, machine, x)), "%s: squares of %d lost a NaN", kernels->name, n);
      for (Reduction kind : {Reduction::sum, Reduction::max_abs}) {
        expect(std::isnan(kernels->reduce(machine.context(), kind, n, x.data())),
               "%s: reduction %d of %d lost a NaN", kernels->name, static_cast<int>(kind), n);
      }
    }
  }
}

TEST("bernoulli draws the hash's numbers, bit for bit") {
  for (const Kernels* kernels : targets()) {
    for (int n : kLengths) {
      Floats out(n, -1.0f);
      Machine machine(3);
      kernels->bernoulli(machine.context(), n, out.data(), 12345u, 0.3, 1.5f);
      for (int i = 0; i < n; i++) {
        const float expected = hash(12345u, static_cast<std::uint32_t>(i)) / 4294967296.0 < 0.3 ? 1.5f : 0;
        expect(out[i] == expected, "%s: element %d of %d is %g, expected %g", kernels->name, i, n, out[i],
               expected);
      }
    }
  }
}

TEST("SGD, RMSprop and Adam take the steps of the double equations") {
  Machine machine(2);
  // Weights of about 1 and steps of about 1e-2: what three steps lose is the rounding of w and of the
  // moments.
  constexpr double kBound = 32 * 0x1p-24;
  for (const Kernels* kernels : targets()) {
    for (int n : kLengths) {
      Random random(static_cast<std::uint64_t>(n));
      const Floats start = random.numbers(n);
      const std::size_t size = static_cast<std::size_t>(n);
      for (int variant = 0; variant < 4; variant++) {
        Floats sgd = start, rms = start, adam = start;
        Floats velocity(n), square(n), rms_velocity(n), moment1(n), moment2(n);
        Doubles rsgd(start.begin(), start.end()), rrms = rsgd, radam = rsgd;
        Doubles rv(n), rs(n), rrv(n), rm1(n), rm2(n);
        const bool nesterov = variant == 1, decoupled = variant == 2;
        const double decay = variant == 3 ? 0 : 0.01, momentum = variant == 3 ? 0 : 0.9, scale = 0.5;
        const double rate = 0.01, alpha = 0.99, eps = 1e-3, beta1 = 0.9, beta2 = 0.999;
        for (int step = 1; step <= 3; step++) {
          const Floats gradient = random.numbers(n);
          kernels->sgd_step(machine.context(),
                            {size, sgd.data(), gradient.data(), momentum > 0 ? velocity.data() : nullptr,
                             static_cast<float>(rate), static_cast<float>(momentum),
                             static_cast<float>(decay), static_cast<float>(scale), nesterov});
          kernels->rmsprop_step(
              machine.context(),
              {size, rms.data(), gradient.data(), square.data(), momentum > 0 ? rms_velocity.data() : nullptr,
               static_cast<float>(rate), static_cast<float>(alpha), static_cast<float>(eps),
               static_cast<float>(momentum), static_cast<float>(decay), static_cast<float>(scale)});
          kernels->adam_step(machine.context(),
                             {size, adam.data(), gradient.data(), moment1.data(), moment2.data(), step, rate,
                              beta1, beta2, eps, decay, static_cast<float>(scale), decoupled});
          for (int i = 0; i < n; i++) {
            const double g = gradient[i] * scale;
            const double gs = g + decay * rsgd[i];
            rv[i] = momentum * rv[i] + gs;
            rsgd[i] -= rate * (momentum == 0 ? gs : nesterov ? gs + momentum * rv[i] : rv[i]);
            const double gr = g + decay * rrms[i];
            rs[i] = alpha * rs[i] + (1 - alpha) * gr * gr;
            const double normalised = gr / (std::sqrt(rs[i]) + eps);
            rrv[i] = momentum * rrv[i] + normalised;
            rrms[i] -= rate * (momentum == 0 ? normalised : rrv[i]);
            if (decoupled) radam[i] *= 1 - rate * decay;
            const double ga = decoupled ? g : g + decay * radam[i];
            rm1[i] = beta1 * rm1[i] + (1 - beta1) * ga;
            rm2[i] = beta2 * rm2[i] + (1 - beta2) * ga * ga;
            radam[i] -= rate / (1 - std::pow(beta1, step)) * rm1[i] /
                        (std::sqrt(rm2[i] / (1 - std::pow(beta2, step))) + eps);
          }
        }
        check(kernels, "SGD's weights", n, sgd, rsgd, kBound);
        check(kernels, "RMSprop's weights", n, rms, rrms, kBound);
        check(kernels, "Adam's weights", n, adam, radam, kBound);
        check(kernels, "Adam's second moment", n, moment2, rm2, kBound);
      }
    }
  }
}

}  // namespace lstm_native::test
