// Convolution of images, through that along one axis: the rows that a window reads are stacked, place by
// place, as channels of one row, and windows then run along its columns. Images are taken a few at a time, so
// that what is stacked stays in cache.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Floats stacked at a time, unless one image needs more.
constexpr std::size_t kStacked = std::size_t{1} << 19;

// The convolution along the columns.
BRICK Conv1dShape stacked_shape(const Conv2dShape& shape) {
  return {shape.I * shape.rows, shape.O, shape.groups, shape.columns};
}

// Rows [images][S] of cells, which are the groups of all columns: [size][width] floats for every `width` of
// x.
struct StackRun {
  const Conv2dArgs* args;
  int images;
  float* x;  // of the first image; written when folding
  float* stacked;
  int cells() const { return args->columns.T * args->groups; }
  std::ptrdiff_t row_length() const {
    return static_cast<std::ptrdiff_t>(cells()) * args->rows.size * args->width();
  }
};

static void stack_share(void* data, int index, int count) {
  const StackRun& run = *static_cast<const StackRun*>(data);
  const Windows& rows = run.args->rows;
  const int cells = run.cells(), width = run.args->width();
  const std::ptrdiff_t apart = static_cast<std::ptrdiff_t>(rows.size) * width;
  int first, last;
  share(run.images * rows.S, index, count, &first, &last);
  for (int n = first; n < last; n++) {
    const int b = n / rows.S, s = n % rows.S;
    float* to = run.stacked + n * run.row_length();
    for (int k = 0; k < rows.size; k++, to += width) {
      const int h = s * rows.stride - rows.before + k * rows.dilation;
      const bool inside = h >= 0 && h < rows.T;
      const float* from =
          run.x + (static_cast<std::ptrdiff_t>(b) * rows.T + (inside ? h : 0)) * cells * width;
      for (int cell = 0; cell < cells; cell++, from += width) {
        float* at = to + cell * apart;
        for (int i = 0; i < width; i++) at[i] = inside ? from[i] : 0.0f;
      }
    }
  }
}

// What the stacked rows want of theirs, added to these.
static void fold_share(void* data, int index, int count) {
  const StackRun& run = *static_cast<const StackRun*>(data);
  const Windows& rows = run.args->rows;
  const int cells = run.cells(), width = run.args->width();
  const std::ptrdiff_t apart = static_cast<std::ptrdiff_t>(rows.size) * width;
  int first, last;
  share(run.images * rows.T, index, count, &first, &last);
  for (int n = first; n < last; n++) {
    const int b = n / rows.T, h = n % rows.T;
    for (int k = 0; k < rows.size; k++) {
      const int start = h + rows.before - k * rows.dilation;
      if (start < 0 || start % rows.stride != 0 || start / rows.stride >= rows.S) continue;
      const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(b) * rows.S + start / rows.stride;
      const float* from = run.stacked + row * run.row_length() + static_cast<std::ptrdiff_t>(k) * width;
      float* to = run.x + static_cast<std::ptrdiff_t>(n) * cells * width;
      for (int cell = 0; cell < cells; cell++, to += width) {
        for (int i = 0; i < width; i++) to[i] += from[cell * apart + i];
      }
    }
  }
}

static void run_stack(const Context& context, StackRun run, void (*share_of)(void*, int, int)) {
  const double values = static_cast<double>(run.images) * run.args->rows.S * run.row_length();
  context.pool->run(useful_threads(context, values * kCheap), share_of, &run);
}

// [O][width][rows][columns], as PyTorch has a weight, to [O][rows][width][columns]; or added back.
static void exchange_taps(const Conv2dShape& shape, const float* weight, float* stacked, float* added_to) {
  const std::ptrdiff_t columns = shape.columns;
  for (std::ptrdiff_t o = 0; o < shape.O; o++) {
    for (int k = 0; k < shape.rows; k++) {
      for (int i = 0; i < shape.width(); i++, stacked += columns) {
        const std::ptrdiff_t at = ((o * shape.width() + i) * shape.rows + k) * columns;
        for (int l = 0; l < columns; l++) {
          if (added_to != nullptr) {
            added_to[at + l] += stacked[l];
          } else {
            stacked[l] = weight[at + l];
          }
        }
      }
    }
  }
}

static float* stacked_taps(const Context& context, const Conv2dShape& shape, const float* weight) {
  const std::size_t length = static_cast<std::size_t>(shape.O) * shape.width() * shape.rows * shape.columns;
  float* taps = context.arena->take<float>(length);
  exchange_taps(shape, weight, taps, nullptr);
  return taps;
}

static std::size_t conv2d_packed_length(const Conv2dShape& shape) {
  return conv1d_packed_length(stacked_shape(shape));
}

static void conv2d_pack(const Context& context, const Conv2dShape& shape, const float* weight,
                        float* packed) {
  conv1d_pack(context, stacked_shape(shape), stacked_taps(context, shape, weight), packed);
}

// The images that are taken together.
static int images_at_once(const Conv2dArgs& args) {
  const StackRun one = {&args, 1, nullptr, nullptr};
  const std::size_t length = static_cast<std::size_t>(args.rows.S) * one.row_length();
  const std::size_t most = length == 0 ? args.B : kStacked / length;
  return most < 1 ? 1 : most < static_cast<std::size_t>(args.B) ? static_cast<int>(most) : args.B;
}

// What all images have in common.
static Conv1dArgs columns_of(const Conv2dArgs& args) {
  Conv1dArgs columns = {};
  columns.windows = args.columns;
  columns.I = args.I * args.rows.size;
  columns.O = args.O;
  columns.groups = args.groups;
  columns.bias = args.bias;
  columns.packed = args.packed;
  return columns;
}

static void conv2d_forward(const Context& context, const Conv2dArgs& args) {
  const int most = images_at_once(args);
  const std::ptrdiff_t image = args.image(), result = args.result();
  Conv1dArgs columns = columns_of(args);
  if (args.packed == nullptr) columns.weight = stacked_taps(context, args.shape(), args.weight);
  StackRun run = {&args, most, nullptr, nullptr};
  run.stacked = context.arena->take<float>(static_cast<std::size_t>(most) * args.rows.S * run.row_length());
  const Arena::Mark mark = context.arena->mark();
  for (int b = 0; b < args.B; b += most) {
    run.images = args.B - b < most ? args.B - b : most;
    run.x = const_cast<float*>(args.x) + b * image;
    run_stack(context, run, stack_share);
    columns.B = run.images * args.rows.S;
    columns.x = run.stacked;
    columns.y = args.y + b * result;
    conv1d_forward(context, columns);
    context.arena->release(mark);
  }
}

static void conv2d_backward(const Context& context, const Conv2dArgs& args) {
  const int most = images_at_once(args);
  const std::ptrdiff_t image = args.image(), result = args.result();
  const std::size_t taps = static_cast<std::size_t>(args.O) * columns_of(args).width() * args.columns.size;
  Conv1dArgs columns = columns_of(args);
  columns.weight = stacked_taps(context, args.shape(), args.weight);
  columns.dbias = args.dbias;
  if (args.dweight != nullptr) {
    columns.dweight = context.arena->take<float>(taps);
    std::memset(columns.dweight, 0, sizeof(float) * taps);
  }
  StackRun run = {&args, most, nullptr, nullptr};
  const std::size_t length = static_cast<std::size_t>(most) * args.rows.S * run.row_length();
  float* stacked = args.dweight != nullptr ? context.arena->take<float>(length) : nullptr;
  float* dstacked = args.dx != nullptr ? context.arena->take<float>(length) : nullptr;
  const Arena::Mark mark = context.arena->mark();
  for (int b = 0; b < args.B; b += most) {
    run.images = args.B - b < most ? args.B - b : most;
    if (stacked != nullptr) {
      run.x = const_cast<float*>(args.x) + b * image;
      run.stacked = stacked;
      run_stack(context, run, stack_share);
    }
    if (dstacked != nullptr) {
      const std::size_t rows = static_cast<std::size_t>(run.images) * args.rows.S;
      std::memset(dstacked, 0, sizeof(float) * rows * run.row_length());
    }
    columns.B = run.images * args.rows.S;
    columns.x = stacked;
    columns.dx = dstacked;
    columns.dy = args.dy + b * result;
    conv1d_backward(context, columns);
    if (dstacked != nullptr) {
      run.x = args.dx + b * image;
      run.stacked = dstacked;
      run_stack(context, run, fold_share);
    }
    context.arena->release(mark);
  }
  if (args.dweight != nullptr) exchange_taps(args.shape(), nullptr, columns.dweight, args.dweight);
}

}  // namespace lstm_native::LSTM_TARGET
