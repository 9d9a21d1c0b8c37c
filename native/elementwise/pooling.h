// The largest or the average of the steps of a window. Shared out by sequences and vectors of channels, so
// that windows that overlap meet in one thread.
#pragma once

namespace lstm_native::LSTM_TARGET {

BRICK int channel_vectors(int C) { return (C + kWidth - 1) / kWidth; }

// The row b·T + t of tap k of window s, or -1 where it does not count.
BRICK std::ptrdiff_t counted_row(const Pool1dArgs& args, int b, int s, int k) {
  const Windows& w = args.windows;
  const int t = s * w.stride - w.before + k * w.dilation;
  if (t < 0 || t >= w.T) return -1;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(b) * w.T + t;
  return args.mask == nullptr || args.mask[row] != 0 ? row : -1;
}

// max gives its second operand where either is NaN: a NaN before it must be kept.
BRICK V larger(V largest, V x) { return select(is_nan(largest), largest, max(largest, x)); }

// Values that one chain of additions takes: rounding grows with the chain and not with the window.
constexpr int kPoolChain = 64;

static V pooled(const Pool1dArgs& args, Pool kind, int b, int s, int c) {
  const int n = args.C - c;
  int counted = 0;
  V result = zero(), chain = zero();
  for (int k = 0; k < args.windows.size; k++) {
    const std::ptrdiff_t row = counted_row(args, b, s, k);
    if (row < 0) continue;
    const V x = load(args.x + row * args.C + c, n);
    if (kind == Pool::max) {
      result = counted == 0 ? x : larger(result, x);
    } else {
      chain = add(chain, x);
      if (counted % kPoolChain == kPoolChain - 1) {
        result = add(result, chain);
        chain = zero();
      }
    }
    counted++;
  }
  if (kind == Pool::max || counted == 0) return result;
  const int divisor = args.count_padding ? args.windows.size : counted;
  return div(add(result, chain), set(static_cast<float>(divisor)));
}

BRICK void add_to(float* p, V v, int n) { store(p, add(load(p, n), v), n); }

// dy to the first step that is not below y, lane by lane.
static void max_gradient(const Pool1dArgs& args, int b, int s, int c, V y, V dy) {
  const int n = args.C - c;
  V rest = dy;
  for (int k = 0; k < args.windows.size; k++) {
    const std::ptrdiff_t row = counted_row(args, b, s, k);
    if (row < 0) continue;
    const Mask below = less(load(args.x + row * args.C + c, n), y);
    add_to(args.dx + row * args.C + c, select(below, zero(), rest), n);
    rest = select(below, rest, zero());
  }
}

static void average_gradient(const Pool1dArgs& args, int b, int s, int c, V dy) {
  int counted = 0;
  for (int k = 0; k < args.windows.size; k++) counted += counted_row(args, b, s, k) >= 0;
  const int divisor = args.count_padding ? args.windows.size : counted;
  const V part = div(dy, set(static_cast<float>(divisor)));
  for (int k = 0; counted > 0 && k < args.windows.size; k++) {
    const std::ptrdiff_t row = counted_row(args, b, s, k);
    if (row >= 0) add_to(args.dx + row * args.C + c, part, args.C - c);
  }
}

struct PoolRun {
  Pool kind;
  const Pool1dArgs* args;
};

// What becomes of window s of sequence b in channels [c, c + kWidth); `at` is where it stands in y and dy.
BRICK void pool_forward_at(const PoolRun& run, int b, int s, int c, std::ptrdiff_t at) {
  store(run.args->y + at, pooled(*run.args, run.kind, b, s, c), run.args->C - c);
}

BRICK void pool_backward_at(const PoolRun& run, int b, int s, int c, std::ptrdiff_t at) {
  const Pool1dArgs& args = *run.args;
  const V dy = load(args.dy + at, args.C - c);
  if (run.kind == Pool::max) {
    max_gradient(args, b, s, c, load(args.y + at, args.C - c), dy);
  } else {
    average_gradient(args, b, s, c, dy);
  }
}

template <void window_at(const PoolRun&, int, int, int, std::ptrdiff_t)>
static void pool_share(void* data, int index, int count) {
  const PoolRun& run = *static_cast<const PoolRun*>(data);
  const Pool1dArgs& args = *run.args;
  const int vectors = channel_vectors(args.C), S = args.windows.S;
  int first, last;
  share(args.B * vectors, index, count, &first, &last);
  for (int item = first; item < last; item++) {
    const int b = item / vectors, c = item % vectors * kWidth;
    std::ptrdiff_t at = static_cast<std::ptrdiff_t>(b) * S * args.C + c;
    for (int s = 0; s < S; s++, at += args.C) window_at(run, b, s, c, at);
  }
}

static int pool_threads(const Context& context, const Pool1dArgs& args) {
  const double values = static_cast<double>(args.B) * args.windows.S * args.windows.size * args.C;
  return useful_threads(context, values * kCheap);
}

static void pool1d_forward(const Context& context, Pool kind, const Pool1dArgs& args) {
  PoolRun run = {kind, &args};
  context.pool->run(pool_threads(context, args), pool_share<pool_forward_at>, &run);
}

static void pool1d_backward(const Context& context, Pool kind, const Pool1dArgs& args) {
  PoolRun run = {kind, &args};
  context.pool->run(pool_threads(context, args), pool_share<pool_backward_at>, &run);
}

}  // namespace lstm_native::LSTM_TARGET
