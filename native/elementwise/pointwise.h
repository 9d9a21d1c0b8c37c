// Elementwise kernels: unary and binary functions, multiply-adds, a row added to every row, random masks.
#pragma once

namespace lstm_native::LSTM_TARGET {

template <typename Function>
struct UnaryForward {
  Function function;
  const float* x;
  float* y;
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    lanes.put(y + i, function.value(lanes.get(x + i)));
  }
};

template <typename Function>
struct UnaryBackward {
  Function function;
  UnaryBackwardArgs args;
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    const V derivative = function.derivative(lanes.get(args.x + i), lanes.get(args.y + i));
    lanes.put(args.dx + i, fma(lanes.get(args.dy + i), derivative, lanes.get(args.dx + i)));
  }
};

// Both passes of a call: exactly one of the two is given.
struct UnaryCall {
  const Context* context;
  UnaryNumbers numbers;
  std::size_t n;
  const float* x;
  float* y;
  const UnaryBackwardArgs* backward;
};

template <typename Function>
static void run_unary(const UnaryCall& call, Function function = {}) {
  if (call.backward != nullptr) {
    elementwise(*call.context, call.n, Function::kCost, UnaryBackward<Function>{function, *call.backward});
  } else {
    elementwise(*call.context, call.n, Function::kCost, UnaryForward<Function>{function, call.x, call.y});
  }
}

static void dispatch_unary(Unary kind, const UnaryCall& call) {
  const float alpha = call.numbers.alpha, beta = call.numbers.beta;
  switch (kind) {
    case Unary::exp:
      return run_unary<Exp>(call);
    case Unary::log:
      return run_unary<Log>(call);
    case Unary::sigmoid:
      return run_unary<Sigmoid>(call);
    case Unary::tanh:
      return run_unary<Tanh>(call);
    case Unary::relu:
      return run_unary<Relu>(call);
    case Unary::gelu:
      return run_unary<Gelu>(call);
    case Unary::softplus:
      return run_unary<Softplus>(call);
    case Unary::square:
      return run_unary<Square>(call);
    case Unary::sqrt:
      return run_unary<Sqrt>(call);
    case Unary::abs:
      return run_unary<Abs>(call);
    case Unary::negate:
      return run_unary<Negate>(call);
    case Unary::gelu_tanh:
      return run_unary<GeluTanh>(call);
    case Unary::relu6:
      return run_unary<Relu6>(call);
    case Unary::selu:
      return run_unary<Selu>(call);
    case Unary::softsign:
      return run_unary<Softsign>(call);
    case Unary::silu:
      return run_unary<Silu>(call);
    case Unary::hard_silu:
      return run_unary<HardSilu>(call);
    case Unary::mish:
      return run_unary<Mish>(call);
    case Unary::leaky_relu:
      return run_unary(call, LeakyRelu{set(alpha)});
    case Unary::elu:
      return run_unary(call, Elu{set(alpha)});
    case Unary::hard_sigmoid:
      return run_unary(call, HardSigmoid{set(alpha), set(beta)});
  }
}

static void unary_forward(const Context& context, Unary kind, UnaryNumbers numbers, std::size_t n,
                          const float* x, float* y) {
  dispatch_unary(kind, {&context, numbers, n, x, y, nullptr});
}

static void unary_backward(const Context& context, Unary kind, const UnaryBackwardArgs& args) {
  dispatch_unary(kind, {&context, args.numbers, args.n, nullptr, nullptr, &args});
}

// exp, sigmoid and tanh alone, on the calling thread.
static void activation(Unary kind, std::size_t n, const float* x, float* y) {
  if (kind == Unary::exp) each_vector(UnaryForward<Exp>{{}, x, y}, 0, n);
  if (kind == Unary::sigmoid) each_vector(UnaryForward<Sigmoid>{{}, x, y}, 0, n);
  if (kind == Unary::tanh) each_vector(UnaryForward<Tanh>{{}, x, y}, 0, n);
}

struct Add {
  static BRICK_MEMBER V combine(V a, V b) { return add(a, b); }
};
struct Subtract {
  static BRICK_MEMBER V combine(V a, V b) { return sub(a, b); }
};
struct Multiply {
  static BRICK_MEMBER V combine(V a, V b) { return mul(a, b); }
};
struct Divide {
  static BRICK_MEMBER V combine(V a, V b) { return div(a, b); }
};
// max and min give b where either is NaN, which loses the NaN of an a.
struct Maximum {
  static BRICK_MEMBER V combine(V a, V b) { return select(is_nan(a), a, max(a, b)); }
};
struct Minimum {
  static BRICK_MEMBER V combine(V a, V b) { return select(is_nan(a), a, min(a, b)); }
};

template <typename Function>
struct BinaryForward {
  const float* a;
  const float* b;
  float* y;
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    lanes.put(y + i, Function::combine(lanes.get(a + i), lanes.get(b + i)));
  }
};

static void binary(const Context& context, Binary kind, std::size_t n, const float* a, const float* b,
                   float* y) {
  switch (kind) {
    case Binary::add:
      return elementwise(context, n, kCheap, BinaryForward<Add>{a, b, y});
    case Binary::subtract:
      return elementwise(context, n, kCheap, BinaryForward<Subtract>{a, b, y});
    case Binary::multiply:
      return elementwise(context, n, kCheap, BinaryForward<Multiply>{a, b, y});
    case Binary::divide:
      return elementwise(context, n, kCheap, BinaryForward<Divide>{a, b, y});
    case Binary::maximum:
      return elementwise(context, n, kCheap, BinaryForward<Maximum>{a, b, y});
    case Binary::minimum:
      return elementwise(context, n, kCheap, BinaryForward<Minimum>{a, b, y});
  }
}

// y += alpha·x
struct ScaledAddition {
  V alpha;
  const float* x;
  float* y;
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    lanes.put(y + i, fma(alpha, lanes.get(x + i), lanes.get(y + i)));
  }
};

static void axpy(const Context& context, std::size_t n, float alpha, const float* x, float* y) {
  elementwise(context, n, kCheap, ScaledAddition{set(alpha), x, y});
}

// y += a∘b
struct MultiplyAddition {
  const float* a;
  const float* b;
  float* y;
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    lanes.put(y + i, fma(lanes.get(a + i), lanes.get(b + i), lanes.get(y + i)));
  }
};

static void multiply_add(const Context& context, std::size_t n, const float* a, const float* b, float* y) {
  elementwise(context, n, kCheap, MultiplyAddition{a, b, y});
}

struct RowAddition {
  int N, F;
  const float* x;
  float* y;
};

static void add_rows_share(void* data, int index, int count) {
  const RowAddition& run = *static_cast<const RowAddition*>(data);
  int first, last;
  share(run.N, index, count, &first, &last);
  const V one = set(1.0f);
  for (std::ptrdiff_t n = first; n < last; n++)
    each_vector(ScaledAddition{one, run.x, run.y + n * run.F}, 0, run.F);
}

// y[n][f] += x[f]
static void add_rows(const Context& context, int N, int F, const float* x, float* y) {
  RowAddition run = {N, F, x, y};
  const double work = static_cast<double>(N) * F * kCheap;
  context.pool->run(useful_threads(context, work), add_rows_share, &run);
}

// The generator of lib/random.ts, bit for bit.
BRICK std::uint32_t mix(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

struct BernoulliRun {
  std::size_t n;
  float* out;
  std::uint32_t key1, key2, threshold;
  float value;
};

static void bernoulli_share(void* data, int index, int count) {
  const BernoulliRun run = *static_cast<const BernoulliRun*>(data);
  int first, last;
  share(static_cast<int>((run.n + kBlock - 1) / kBlock), index, count, &first, &last);
  for (int block = first; block < last; block++) {
    const std::size_t start = block * kBlock;
    const std::uint32_t counter = static_cast<std::uint32_t>(start) + run.key1;
    const std::uint32_t n = static_cast<std::uint32_t>(run.n - start < kBlock ? run.n - start : kBlock);
    float* out = run.out + start;
    for (std::uint32_t i = 0; i < n; i++) {
      out[i] = (mix(mix(counter + i) ^ run.key2) >> 8) < run.threshold ? run.value : 0.0f;
    }
  }
}

// out[i] = value where u < probability, else 0. u = k·2^-24 for an integer k, so that u < probability is k <
// ⌈probability·2^24⌉.
static void bernoulli(const Context& context, std::size_t n, float* out, std::uint32_t seed,
                      double probability, float value) {
  std::uint32_t threshold = 0;
  if (probability > 0) {
    threshold = probability < 1 ? static_cast<std::uint32_t>(::ceil(probability * 0x1p24)) : 1u << 24;
  }
  BernoulliRun run = {n, out, mix(seed), mix(seed ^ 0x9e3779b9u), threshold, value};
  context.pool->run(useful_threads(context, static_cast<double>(n) * kActivation), bernoulli_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
