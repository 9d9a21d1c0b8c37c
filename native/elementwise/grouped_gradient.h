// The gradient of a convolution's weights along the groups, and its whole backward pass.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Windows whose steps and gradients stay in L1 for all taps; and the chain of a sum, times kGroupedChains.
constexpr int kGroupedChunk = 128;
constexpr int kGroupedChains = 4;

// Σ over `count` windows of x∘dy for U planes of x and of dy, added to planes of taps.
template <int U>
struct GroupedProducts {
  int count;
  std::ptrdiff_t groups, x_step, dy_step, in;
  const float* x;
  const float* dy;
  float* to;  // the planes of x are `in` apart here, those of dy `groups`

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t g, Lanes lanes) const {
    constexpr int kChains = kGroupedChains / (U * U);
    V sums[kChains][U][U];
    for (int c = 0; c < kChains; c++) {
      for (int u = 0; u < U * U; u++) sums[c][u / U][u % U] = zero();
    }
    int s = 0;
    for (; s + kChains <= count; s += kChains) {
      for (int c = 0; c < kChains; c++) add_window(sums[c], s + c, g, lanes);
    }
    for (; s < count; s++) add_window(sums[0], s, g, lanes);
    for (int i = 0; i < U; i++) {
      for (int j = 0; j < U; j++) {
        V sum = sums[0][i][j];
        for (int c = 1; c < kChains; c++) sum = add(sum, sums[c][i][j]);
        float* plane = to + i * in + j * groups + g;
        lanes.put(plane, add(lanes.get(plane), sum));
      }
    }
  }

  template <typename Lanes>
  BRICK_MEMBER void add_window(V (&sums)[U][U], std::ptrdiff_t s, std::size_t g, Lanes lanes) const {
    V a[U], b[U];
    for (int u = 0; u < U; u++) {
      a[u] = lanes.get(x + s * x_step + u * groups + g);
      b[u] = lanes.get(dy + s * dy_step + u * groups + g);
    }
    for (int i = 0; i < U; i++) {
      for (int j = 0; j < U; j++) sums[i][j] = fma(a[i], b[j], sums[i][j]);
    }
  }
};

struct GroupedGradient {
  const Conv1dArgs* args;
  const float* x;   // planes
  const float* dy;  // planes
  float* dtaps;     // planes
};

// The windows from `start` to `end` in which tap k meets a step.
BRICK void meeting_windows(const Windows& w, int k, int* start, int* end) {
  const int first = w.before - k * w.dilation, last = w.T - 1 + first;  // s·stride from first to last
  const int s = first > 0 ? (first + w.stride - 1) / w.stride : 0;
  *start = s > *start ? s : *start;
  const int beyond = last < 0 ? 0 : last / w.stride + 1;
  *end = beyond < *end ? beyond : *end;
}

// Shared out by groups: each thread sees all windows, in order.
static void grouped_gradient_share(void* data, int index, int count) {
  const GroupedGradient& run = *static_cast<const GroupedGradient*>(data);
  const Conv1dArgs& args = *run.args;
  const Conv1dShape shape = args.shape();
  const Windows& w = args.windows;
  const int G = args.groups, width = shape.width(), outputs = shape.outputs();
  const std::ptrdiff_t x_step = static_cast<std::ptrdiff_t>(w.stride) * args.I, dy_step = args.O;
  const std::ptrdiff_t in = tap_plane(shape, 0, 1, 0);
  int first, last;
  share((G + kWidth - 1) / kWidth, index, count, &first, &last);
  for (int block = first; block < last; block++) {
    const int g0 = block * kWidth, g1 = G - g0 < kWidth ? G : g0 + kWidth;
    for (std::ptrdiff_t b = 0; b < args.B; b++) {
      for (int s0 = 0; s0 < w.S; s0 += kGroupedChunk) {
        for (int k = 0; k < w.size; k++) {
          int start = s0, end = w.S - s0 < kGroupedChunk ? w.S : s0 + kGroupedChunk;
          meeting_windows(w, k, &start, &end);
          if (start >= end) continue;
          const std::ptrdiff_t t = start * w.stride - w.before + k * w.dilation;
          const float* x = run.x + (b * w.T + t) * args.I;
          const float* dy = run.dy + (b * w.S + start) * args.O;
          for (int i = 0; i < width; i++) {
            for (int j = 0; j < outputs; j++) {
              const bool in_pairs = i < width / 2 * 2 && j < outputs / 2 * 2;
              const float* x_plane = x + static_cast<std::ptrdiff_t>(i) * G;
              const float* dy_plane = dy + static_cast<std::ptrdiff_t>(j) * G;
              float* to = run.dtaps + tap_plane(shape, k, i, j);
              if (!in_pairs) {
                each_vector(GroupedProducts<1>{end - start, G, x_step, dy_step, in, x_plane, dy_plane, to},
                            g0, g1);
              } else if (i % 2 == 0 && j % 2 == 0) {
                each_vector(GroupedProducts<2>{end - start, G, x_step, dy_step, in, x_plane, dy_plane, to},
                            g0, g1);
              }
            }
          }
        }
      }
    }
  }
}

static void grouped_weight_gradient(const Context& context, const Conv1dArgs& args, const float* dy) {
  const Conv1dShape shape = args.shape();
  const std::size_t length = static_cast<std::size_t>(args.O) * shape.size * shape.width();
  GroupedGradient run = {&args, nullptr, dy, context.arena->take<float>(length)};
  run.x = as_planes(context, args.B * args.windows.T, args.groups, shape.width(), args.x);
  std::memset(run.dtaps, 0, sizeof(float) * length);
  const double work = static_cast<double>(args.B) * args.windows.S * static_cast<double>(length);
  context.pool->run(useful_threads(context, work), grouped_gradient_share, &run);
  for (int k = 0; k < shape.size; k++) {
    for (int i = 0; i < shape.width(); i++) {
      for (int j = 0; j < shape.outputs(); j++) {
        const float* plane = run.dtaps + tap_plane(shape, k, i, j);
        for (int g = 0; g < shape.groups; g++) args.dweight[weight_at(shape, g, k, i, j)] += plane[g];
      }
    }
  }
}

static void grouped_backward(const Context& context, const Conv1dArgs& args) {
  const int N = args.B * args.windows.S;
  const float* dy = as_planes(context, N, args.groups, args.shape().outputs(), args.dy);
  if (args.dx != nullptr) grouped_input_gradient(context, args, dy);
  if (args.dweight != nullptr) grouped_weight_gradient(context, args, dy);
}

}  // namespace lstm_native::LSTM_TARGET
