// Convolution along the time axis: a product with the windows of x as rows. A window that is one stretch of x
// is read where it stands; the others are copied side by side, padding as zeros.
#pragma once

namespace lstm_native::LSTM_TARGET {

// One group's windows as rows of size·width floats, tap after tap.
struct WindowRows {
  const Conv1dArgs* args;
  int group, width;
  const int* slots;    // [S] where among a sequence's copies a window is, or -1 where it is a stretch of x
  int copies;          // of a sequence
  float* copied;       // [B][copies][size·width]
  const float** rows;  // [B·S]
};

static void window_rows_share(void* data, int index, int count) {
  const WindowRows& run = *static_cast<const WindowRows*>(data);
  const Conv1dArgs& args = *run.args;
  const Windows& w = args.windows;
  const std::size_t length = static_cast<std::size_t>(w.size) * run.width;
  int first, last;
  share(args.B * w.S, index, count, &first, &last);
  for (int n = first; n < last; n++) {
    const int b = n / w.S, s = n % w.S;
    const float* sequence = args.x + static_cast<std::ptrdiff_t>(b) * w.T * args.I + run.group * run.width;
    int t = s * w.stride - w.before;
    if (run.slots[s] < 0) {
      run.rows[n] = sequence + static_cast<std::ptrdiff_t>(t) * args.I;
      continue;
    }
    float* row = run.copied + (static_cast<std::size_t>(b) * run.copies + run.slots[s]) * length;
    run.rows[n] = row;
    for (int k = 0; k < w.size; k++, t += w.dilation, row += run.width) {
      if (t < 0 || t >= w.T) {
        std::memset(row, 0, sizeof(float) * run.width);
      } else {
        std::memcpy(row, sequence + static_cast<std::ptrdiff_t>(t) * args.I, sizeof(float) * run.width);
      }
    }
  }
}

static const float* const* window_rows(const Context& context, const Conv1dArgs& args, int group) {
  const Windows& w = args.windows;
  int* slots = context.arena->take<int>(w.S);
  int copies = 0;
  for (int s = 0; s < w.S; s++) {
    const int t = s * w.stride - w.before;
    const bool is_stretch = w.size == 1 || (w.dilation == 1 && args.groups == 1);
    slots[s] = is_stretch && t >= 0 && t + w.size <= w.T ? -1 : copies++;
  }
  const std::size_t length = static_cast<std::size_t>(w.size) * args.width();
  WindowRows run = {&args, group, args.width(), slots, copies, nullptr, nullptr};
  run.copied = context.arena->take<float>(static_cast<std::size_t>(args.B) * copies * length);
  run.rows = context.arena->take<const float*>(static_cast<std::size_t>(args.B) * w.S);
  const double work = static_cast<double>(args.B) * copies * static_cast<double>(length) * kCheap;
  context.pool->run(useful_threads(context, work), window_rows_share, &run);
  return run.rows;
}

// [O][width][size], as PyTorch has a weight, to [O][size][width], as windows are.
static const float* taps_of(const Context& context, const Conv1dArgs& args) {
  const int size = args.windows.size, width = args.width();
  float* taps = context.arena->take<float>(static_cast<std::size_t>(args.O) * size * width);
  float* to = taps;
  for (std::ptrdiff_t o = 0; o < args.O; o++) {
    for (int k = 0; k < size; k++) {
      for (int i = 0; i < width; i++) *to++ = args.weight[(o * width + i) * size + k];
    }
  }
  return taps;
}

static void conv1d_forward(const Context& context, const Conv1dArgs& args) {
  const int N = args.B * args.windows.S, outputs = args.O / args.groups;
  const int K = args.windows.size * args.width();
  if (args.bias != nullptr) {
    for (std::ptrdiff_t n = 0; n < N; n++) {
      std::memcpy(args.y + n * args.O, args.bias, sizeof(float) * args.O);
    }
  }
  const float* taps = args.packed != nullptr ? nullptr : taps_of(context, args);
  for (int group = 0; group < args.groups; group++) {
    Product p = {};
    p.M = N;
    p.N = outputs;
    p.K = K;
    p.a_rows = window_rows(context, args, group);
    if (args.packed != nullptr) {
      p.b_packed = args.packed + group * packed_b_length(K, outputs);
    } else {
      p.b_transposed = taps + static_cast<std::ptrdiff_t>(group) * outputs * K;
      p.ldb = K;
    }
    p.c_rows = row_pointers(context, args.y + group * outputs, args.O, N);
    p.accumulate = args.bias != nullptr;
    multiply(context, p);
  }
}

// What the windows of one group want of their steps, added to the steps.
struct WindowFold {
  const Conv1dArgs* args;
  int group;
  const float* columns;  // [B·S][size·width]
};

static void window_fold_share(void* data, int index, int count) {
  const WindowFold& run = *static_cast<const WindowFold*>(data);
  const Conv1dArgs& args = *run.args;
  const Windows& w = args.windows;
  const int width = args.width();
  int first, last;
  share(args.B * w.T, index, count, &first, &last);
  const V one = set(1.0f);
  for (int row = first; row < last; row++) {
    const int b = row / w.T, t = row % w.T;
    float* dx = args.dx + static_cast<std::ptrdiff_t>(row) * args.I + run.group * width;
    for (int k = 0; k < w.size; k++) {
      const int start = t + w.before - k * w.dilation;
      if (start < 0 || start % w.stride != 0 || start / w.stride >= w.S) continue;
      const std::ptrdiff_t n = static_cast<std::ptrdiff_t>(b) * w.S + start / w.stride;
      each_vector(ScaledAddition{one, run.columns + (n * w.size + k) * width, dx}, 0, width);
    }
  }
}

static void conv1d_backward(const Context& context, const Conv1dArgs& args) {
  const int N = args.B * args.windows.S, outputs = args.O / args.groups, width = args.width();
  const int size = args.windows.size, K = size * width;
  const std::size_t weights = static_cast<std::size_t>(args.O) * K;
  const float* taps = args.dx != nullptr ? taps_of(context, args) : nullptr;
  const std::size_t room = static_cast<std::size_t>(N) * K;
  float* columns = args.dx != nullptr ? context.arena->take<float>(room) : nullptr;
  float* dtaps = args.dweight != nullptr ? context.arena->take<float>(weights) : nullptr;
  if (dtaps != nullptr) std::memset(dtaps, 0, sizeof(float) * weights);
  float* gradient = context.arena->take<float>(static_cast<std::size_t>(N) * outputs);

  for (int group = 0; group < args.groups; group++) {
    const float* dy = args.dy + group * outputs;
    if (args.dx != nullptr) {
      Product p = {};
      p.M = N;
      p.N = K;
      p.K = outputs;
      p.a_rows = row_pointers(context, dy, args.O, N);
      const float* own = taps + static_cast<std::ptrdiff_t>(group) * outputs * K;
      p.b_rows = row_pointers(context, own, K, outputs);
      p.c_rows = row_pointers(context, columns, K, N);
      multiply(context, p);
      WindowFold run = {&args, group, columns};
      context.pool->run(useful_threads(context, static_cast<double>(room) * kCheap), window_fold_share, &run);
    }
    if (dtaps != nullptr) {
      for (std::ptrdiff_t n = 0; n < N; n++) {
        std::memcpy(gradient + n * outputs, dy + n * args.O, sizeof(float) * outputs);
      }
      float* own = dtaps + static_cast<std::ptrdiff_t>(group) * outputs * K;
      weight_gradient(context, outputs, K, N, gradient, window_rows(context, args, group), own);
    }
  }
  if (dtaps != nullptr) {
    const float* from = dtaps;
    for (std::ptrdiff_t o = 0; o < args.O; o++) {
      for (int k = 0; k < size; k++) {
        for (int i = 0; i < width; i++) args.dweight[(o * width + i) * size + k] += *from++;
      }
    }
  }
  sum_rows(context, N, args.O, args.dy, args.dbias);
}

}  // namespace lstm_native::LSTM_TARGET
