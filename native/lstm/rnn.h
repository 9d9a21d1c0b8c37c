// The Elman network over a window of steps: a product with W_hh a step, of the sequences that have the step,
// then the function. lib/kernels/contract-rnn.ts has the equations. The sequences of a step are the rows of
// its product, so that a sequence's bits are its own in any batch.
#pragma once

namespace lstm_native::LSTM_TARGET {

BRICK int rnn_length(const RnnArgs& args, int b) {
  return args.lengths != nullptr ? args.lengths[b] : args.T;
}

// Where sequence b stands at the n-th step that is read.
BRICK int rnn_time(const RnnArgs& args, int b, int n) {
  return args.reverse ? rnn_length(args, b) - 1 - n : n;
}

BRICK float* rnn_row(const RnnArgs& args, float* y, int b, int t) {
  return y + b * args.y_batch_stride + t * args.y_time_stride;
}

// The sequences that have an n-th step: of each its number, and the rows that the step reads and writes.
struct RnnStep {
  int count;
  int* sequences;
  const float** from;
  float** to;
};

static RnnStep rnn_step(const Context& context, int B) {
  return {0, context.arena->take<int>(B), context.arena->take<const float*>(B),
          context.arena->take<float*>(B)};
}

// h = f(z + a + b_hh), into y and the state.
struct RnnValues {
  bool relu;
  const float* z;
  const float* a;
  const float* bias;  // may be null
  float* h;
  float* y;
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t j, Lanes lanes) const {
    V sum = add(lanes.get(a + j), lanes.get(z + j));
    if (bias != nullptr) sum = add(sum, lanes.get(bias + j));
    // The order of max lets a NaN through.
    const V value = relu ? max(zero(), sum) : tanh(sum);
    lanes.put(h + j, value);
    lanes.put(y + j, value);
  }
};

// δ = (dy + dh)∘f'(y)
struct RnnDeltas {
  bool relu;
  const float* y;
  const float* dy;  // may be null
  const float* dh;
  float* delta;
  float* da;  // added to, or null
  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t j, Lanes lanes) const {
    const V value = lanes.get(y + j);
    V sum = lanes.get(dh + j);
    if (dy != nullptr) sum = add(lanes.get(dy + j), sum);
    const V slope = relu ? select(less(zero(), value), set(1.0f), zero()) : fnma(value, value, set(1.0f));
    const V result = mul(sum, slope);
    lanes.put(delta + j, result);
    if (da != nullptr) lanes.put(da + j, add(lanes.get(da + j), result));
  }
};

static Product rnn_product(const Context& context, const RnnArgs& args, bool transposed) {
  Product p = {};
  p.N = p.K = args.H;
  if (transposed) {
    p.b_transposed = args.weight_hh;
    p.ldb = args.H;
  } else {
    p.b_rows = row_pointers(context, args.weight_hh, args.H, args.H);
  }
  float* packed = context.arena->take<float>(packed_b_length(args.H, args.H));
  pack_b(p, packed);
  p.b_packed = packed;
  return p;
}

static void rnn_forward(const Context& context, const RnnArgs& args) {
  const int B = args.B, T = args.T;
  const std::size_t H = args.H;
  if (B == 0) return;
  if (args.h0 == nullptr) {
    std::memset(args.hn, 0, sizeof(float) * B * H);
  } else if (args.h0 != args.hn) {
    std::memcpy(args.hn, args.h0, sizeof(float) * B * H);
  }
  Product p = rnn_product(context, args, true);
  RnnStep step = rnn_step(context, B);
  float* z = context.arena->take<float>(B * H);
  for (int n = 0; n < T; n++) {
    step.count = 0;
    for (int b = 0; b < B; b++) {
      if (n >= rnn_length(args, b)) {
        std::memset(rnn_row(args, args.y, b, n), 0, sizeof(float) * H);
        continue;
      }
      step.sequences[step.count] = b;
      step.from[step.count] = args.hn + b * H;
      step.to[step.count] = z + b * H;
      step.count++;
    }
    p.M = step.count;
    p.a_rows = step.from;
    p.c_rows = step.to;
    multiply(context, p);
    for (int i = 0; i < step.count; i++) {
      const int b = step.sequences[i], t = rnn_time(args, b, n);
      const std::size_t row = static_cast<std::size_t>(b) * T + t;
      each_vector(RnnValues{args.relu, z + b * H, args.a + row * H, args.bias_hh, args.hn + b * H,
                            rnn_row(args, args.y, b, t)},
                  0, H);
    }
  }
}

static void rnn_backward(const Context& context, const RnnArgs& args) {
  const int B = args.B, T = args.T;
  const std::size_t H = args.H;
  if (B == 0) return;
  float* dh = context.arena->take<float>(B * H);
  if (args.dhn == nullptr) {
    std::memset(dh, 0, sizeof(float) * B * H);
  } else {
    std::memcpy(dh, args.dhn, sizeof(float) * B * H);
  }
  const float* zeros = context.arena->take<float>(H);
  std::memset(const_cast<float*>(zeros), 0, sizeof(float) * H);
  // δ of all steps one behind the other, each beside the h before it, for the products over all of them.
  std::size_t rows = 0;
  for (int b = 0; b < B; b++) rows += rnn_length(args, b);
  float* deltas = context.arena->take<float>(rows * H);
  const float** before = context.arena->take<const float*>(rows);
  std::size_t done = 0;

  Product p = rnn_product(context, args, false);
  RnnStep step = rnn_step(context, B);
  for (int n = T - 1; n >= 0; n--) {
    step.count = 0;
    for (int b = 0; b < B; b++) {
      if (n >= rnn_length(args, b)) continue;
      const int t = rnn_time(args, b, n);
      const std::size_t row = static_cast<std::size_t>(b) * T + t;
      float* delta = deltas + done * H;
      each_vector(RnnDeltas{args.relu, rnn_row(args, args.y, b, t),
                            args.dy != nullptr ? rnn_row(args, const_cast<float*>(args.dy), b, t) : nullptr,
                            dh + b * H, delta, args.da != nullptr ? args.da + row * H : nullptr},
                  0, H);
      const float* h0 = args.h0 != nullptr ? args.h0 + b * H : zeros;
      before[done++] = n > 0 ? rnn_row(args, args.y, b, rnn_time(args, b, n - 1)) : h0;
      step.from[step.count] = delta;
      step.to[step.count] = dh + b * H;
      step.count++;
    }
    p.M = step.count;
    p.a_rows = step.from;
    p.c_rows = step.to;
    multiply(context, p);
  }
  if (args.dh0 != nullptr) each_vector(ScaledAddition{set(1.0f), dh, args.dh0}, 0, B * H);
  const int count = static_cast<int>(rows);
  weight_gradient(context, args.H, args.H, count, deltas, before, args.dweight_hh);
  sum_rows(context, count, args.H, deltas, args.dbias_hh);
}

}  // namespace lstm_native::LSTM_TARGET
