// Convolution along the time axis: a product with the windows of x as rows. A window that is one stretch of x
// is read where it stands; the others are copied side by side, padding as zeros.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Windows as rows of size·I floats, tap after tap.
struct WindowRows {
  const Conv1dArgs* args;
  const int* slots;    // [S] where among a sequence's copies a window is, or -1 where it is a stretch of x
  int copies;          // of a sequence
  float* copied;       // [B][copies][size·I]
  const float** rows;  // [B·S]
};

static void window_rows_share(void* data, int index, int count) {
  const WindowRows& run = *static_cast<const WindowRows*>(data);
  const Conv1dArgs& args = *run.args;
  const Windows& w = args.windows;
  const std::size_t length = static_cast<std::size_t>(w.size) * args.I;
  int first, last;
  share(args.B * w.S, index, count, &first, &last);
  for (int n = first; n < last; n++) {
    const int b = n / w.S, s = n % w.S;
    const float* sequence = args.x + static_cast<std::ptrdiff_t>(b) * w.T * args.I;
    int t = s * w.stride - w.before;
    if (run.slots[s] < 0) {
      run.rows[n] = sequence + static_cast<std::ptrdiff_t>(t) * args.I;
      continue;
    }
    float* row = run.copied + (static_cast<std::size_t>(b) * run.copies + run.slots[s]) * length;
    run.rows[n] = row;
    for (int k = 0; k < w.size; k++, t += w.dilation, row += args.I) {
      if (t < 0 || t >= w.T) {
        std::memset(row, 0, sizeof(float) * args.I);
      } else {
        std::memcpy(row, sequence + static_cast<std::ptrdiff_t>(t) * args.I, sizeof(float) * args.I);
      }
    }
  }
}

static const float* const* window_rows(const Context& context, const Conv1dArgs& args) {
  const Windows& w = args.windows;
  int* slots = context.arena->take<int>(w.S);
  int copies = 0;
  for (int s = 0; s < w.S; s++) {
    const int t = s * w.stride - w.before;
    const bool is_stretch = w.size == 1 || w.dilation == 1;
    slots[s] = is_stretch && t >= 0 && t + w.size <= w.T ? -1 : copies++;
  }
  const std::size_t length = static_cast<std::size_t>(w.size) * args.I;
  WindowRows run = {&args, slots, copies, nullptr, nullptr};
  run.copied = context.arena->take<float>(static_cast<std::size_t>(args.B) * copies * length);
  run.rows = context.arena->take<const float*>(static_cast<std::size_t>(args.B) * w.S);
  const double work = static_cast<double>(args.B) * copies * static_cast<double>(length) * kCheap;
  context.pool->run(useful_threads(context, work), window_rows_share, &run);
  return run.rows;
}

// What one group reads of the windows: where it stands, in pieces of `width`, or copied side by side.
struct GroupRows {
  const Conv1dArgs* args;
  const float* const* windows;
  int group;
  float* copied;       // [B·S][size·width], or null
  const float** rows;  // [B·S]
};

static GroupRows group_rows(const Context& context, const Conv1dArgs& args, bool copies) {
  const std::size_t N = static_cast<std::size_t>(args.B) * args.windows.S;
  GroupRows run = {&args, window_rows(context, args), 0, nullptr, context.arena->take<const float*>(N)};
  if (copies) run.copied = context.arena->take<float>(N * args.windows.size * args.width());
  return run;
}

static void group_rows_share(void* data, int index, int count) {
  const GroupRows& run = *static_cast<const GroupRows*>(data);
  const Conv1dArgs& args = *run.args;
  const int width = args.width(), size = args.windows.size;
  int first, last;
  share(args.B * args.windows.S, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    const float* from = run.windows[n] + static_cast<std::ptrdiff_t>(run.group) * width;
    run.rows[n] = from;
    if (run.copied == nullptr) continue;
    float* row = run.copied + n * size * width;
    run.rows[n] = row;
    for (int k = 0; k < size; k++, row += width, from += args.I)
      std::memcpy(row, from, sizeof(float) * width);
  }
}

static const float* const* rows_of_group(const Context& context, GroupRows& run, int group) {
  if (run.args->groups == 1) return run.windows;
  run.group = group;
  const double values = static_cast<double>(run.args->B) * run.args->windows.S * run.args->windows.size;
  const double work = values * (run.copied != nullptr ? run.args->width() : 1) * kCheap;
  context.pool->run(useful_threads(context, work), group_rows_share, &run);
  return run.rows;
}

// [O][width][size], as PyTorch has a weight, to [O][size][width], as windows are.
static const float* taps_of(const Context& context, const Conv1dShape& shape, const float* weight) {
  const int size = shape.size, width = shape.width();
  float* taps = context.arena->take<float>(static_cast<std::size_t>(shape.O) * size * width);
  float* to = taps;
  for (std::ptrdiff_t o = 0; o < shape.O; o++) {
    for (int k = 0; k < size; k++) {
      for (int i = 0; i < width; i++) *to++ = weight[(o * width + i) * size + k];
    }
  }
  return taps;
}

static std::size_t conv1d_packed_length(const Conv1dShape& shape) {
  const int K = shape.size * shape.width();
  return runs_along_groups(shape) ? static_cast<std::size_t>(shape.O) * K
                                  : shape.groups * packed_b_length(K, shape.outputs());
}

static void conv1d_pack(const Context& context, const Conv1dShape& shape, const float* weight,
                        float* packed) {
  if (runs_along_groups(shape)) return pack_tap_planes(shape, weight, packed);
  const int K = shape.size * shape.width(), outputs = shape.outputs();
  const float* taps = taps_of(context, shape, weight);
  for (std::ptrdiff_t group = 0; group < shape.groups; group++) {
    linear_pack(K, outputs, taps + group * outputs * K, packed + group * packed_b_length(K, outputs));
  }
}

static void conv1d_forward(const Context& context, const Conv1dArgs& args) {
  if (runs_along_groups(args.shape())) return grouped_forward(context, args);
  const int N = args.B * args.windows.S, outputs = args.O / args.groups;
  const int K = args.windows.size * args.width();
  if (args.bias != nullptr) {
    for (std::ptrdiff_t n = 0; n < N; n++) {
      std::memcpy(args.y + n * args.O, args.bias, sizeof(float) * args.O);
    }
  }
  const float* taps = args.packed != nullptr ? nullptr : taps_of(context, args.shape(), args.weight);
  // A chunk of the product is a whole number of pieces.
  const bool in_pieces = args.groups > 1 && (K <= kChunk || kChunk % args.width() == 0);
  GroupRows windows = group_rows(context, args, args.groups > 1 && !in_pieces);
  for (int group = 0; group < args.groups; group++) {
    Product p = {};
    p.M = N;
    p.N = outputs;
    p.K = K;
    p.a_rows = rows_of_group(context, windows, group);
    if (in_pieces) p.a_pieces = {args.width(), args.I};
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

static void products_backward(const Context& context, const Conv1dArgs& args) {
  const int N = args.B * args.windows.S, outputs = args.O / args.groups, width = args.width();
  const int size = args.windows.size, K = size * width;
  const std::size_t weights = static_cast<std::size_t>(args.O) * K;
  const float* taps = args.dx != nullptr ? taps_of(context, args.shape(), args.weight) : nullptr;
  const std::size_t room = static_cast<std::size_t>(N) * K;
  float* columns = args.dx != nullptr ? context.arena->take<float>(room) : nullptr;
  float* dtaps = args.dweight != nullptr ? context.arena->take<float>(weights) : nullptr;
  if (dtaps != nullptr) std::memset(dtaps, 0, sizeof(float) * weights);
  float* gradient = context.arena->take<float>(static_cast<std::size_t>(N) * outputs);
  GroupRows windows = {};
  if (dtaps != nullptr) windows = group_rows(context, args, args.groups > 1);

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
      weight_gradient(context, outputs, K, N, gradient, rows_of_group(context, windows, group), own);
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
}

static void conv1d_backward(const Context& context, const Conv1dArgs& args) {
  if (runs_along_groups(args.shape())) {
    grouped_backward(context, args);
  } else {
    products_backward(context, args);
  }
  sum_rows(context, args.B * args.windows.S, args.O, args.dy, args.dbias);
}

}  // namespace lstm_native::LSTM_TARGET
