// Convolution along the groups: y from x, and dx from dy, over planes of channels.
#pragma once

namespace lstm_native::LSTM_TARGET {

// The taps that count for a row: `first` and others of it, each TapSteps::tap on, the first of which meets
// `row`.
struct TapRange {
  int row, first, count;
};

// From one tap that counts to the next: how far the rows that they meet, and the taps themselves, are apart.
struct TapSteps {
  int row, tap;
};

// Every row of `to` is the sum over taps of rows of `from`: y of x, or dx of dy.
struct GroupedSum {
  int B, groups, inner, outer;  // planes summed over and planes made
  int from_rows, to_rows;       // of a sequence
  TapSteps steps;
  const TapRange* ranges;  // [to_rows]
  const float* from;       // [B][from_rows][inner][groups]
  const float* taps;
  std::ptrdiff_t tap, in, out;  // strides of taps
  const float* start;           // what the sums are added to, rows start_stride apart; or null
  std::ptrdiff_t start_stride;
  float* to;  // [B][to_rows][outer][groups]
};

// R rows whose taps are the same, `distance` rows of `from` apart.
template <int R>
struct GroupedTile {
  const GroupedSum* sum;
  int count;                                // taps
  std::ptrdiff_t distance, from_step, tap;  // floats
  const float* from;
  const float* taps;
  const float* start;
  float* to;

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t g, Lanes lanes) const {
    int j = 0;
    for (; j + 2 <= sum->outer; j += 2) planes<2>(j, g, lanes);
    if (j < sum->outer) planes<1>(j, g, lanes);
  }

  // J planes from j on, for which what is read of `from` is read once.
  template <int J, typename Lanes>
  BRICK_MEMBER void planes(std::ptrdiff_t j, std::ptrdiff_t g, Lanes lanes) const {
    const std::ptrdiff_t groups = sum->groups, to_length = sum->outer * groups;
    V sums[R][J];
    for (int r = 0; r < R; r++) {
      for (int u = 0; u < J; u++) sums[r][u] = zero();
    }
    for (int k = 0; k < count; k++) {
      for (int i = 0; i < sum->inner; i++) {
        const float* weights = taps + k * tap + i * sum->in + j * sum->out + g;
        const float* rows = from + k * from_step + i * groups + g;
        V weight[J];
        for (int u = 0; u < J; u++) weight[u] = lanes.get(weights + u * sum->out);
        for (int r = 0; r < R; r++) {
          const V x = lanes.get(rows + r * distance);
          for (int u = 0; u < J; u++) sums[r][u] = fma(x, weight[u], sums[r][u]);
        }
      }
    }
    for (int r = 0; r < R; r++) {
      for (int u = 0; u < J; u++) {
        const std::ptrdiff_t at = (j + u) * groups + g;
        const V before = start != nullptr ? lanes.get(start + r * sum->start_stride + at) : zero();
        lanes.put(to + r * to_length + at, add(before, sums[r][u]));
      }
    }
  }
};

template <int R>
static void grouped_tile(const GroupedSum& p, int row, int distance) {
  const std::ptrdiff_t b = row / p.to_rows, length = static_cast<std::ptrdiff_t>(p.inner) * p.groups;
  const TapRange& range = p.ranges[row % p.to_rows];
  GroupedTile<R> tile;
  tile.sum = &p;
  tile.count = range.count;
  tile.distance = distance * length;
  tile.from_step = p.steps.row * length;
  tile.tap = p.steps.tap * p.tap;
  tile.from = p.from + (b * p.from_rows + range.row) * length;
  tile.taps = p.taps + range.first * p.tap;
  tile.start = p.start != nullptr ? p.start + row * p.start_stride : nullptr;
  tile.to = p.to + static_cast<std::ptrdiff_t>(row) * p.outer * p.groups;
  each_vector(tile, 0, p.groups);
}

constexpr int kGroupedRows = 4;  // with two planes, chains enough to keep the multipliers busy

// How many rows from `row` on, of those before `end` and in its sequence, have its taps and stand equally far
// apart.
static int equal_rows(const GroupedSum& p, int row, int end, int* distance) {
  const TapRange* ranges = p.ranges + row % p.to_rows;
  const int in_sequence = p.to_rows - row % p.to_rows;
  const int most = end - row < in_sequence ? end - row : in_sequence;
  *distance = most > 1 ? ranges[1].row - ranges[0].row : 0;
  int r = 1;
  while (r < most && r < kGroupedRows && ranges[r].first == ranges[0].first &&
         ranges[r].count == ranges[0].count && ranges[r].row - ranges[0].row == r * *distance) {
    r++;
  }
  return r;
}

static void grouped_sum_share(void* data, int index, int count) {
  const GroupedSum& p = *static_cast<const GroupedSum*>(data);
  int row, last, distance;
  share(p.B * p.to_rows, index, count, &row, &last);
  while (row < last) {
    const int rows = equal_rows(p, row, last, &distance);
    if (rows == kGroupedRows) {
      grouped_tile<kGroupedRows>(p, row, distance);
      row += kGroupedRows;
    } else {
      for (int r = 0; r < rows; r++) grouped_tile<1>(p, row++, 0);
    }
  }
}

static void grouped_sum(const Context& context, const Conv1dArgs& args, GroupedSum& p) {
  const double work =
      static_cast<double>(args.B) * args.windows.S * args.O * args.windows.size * args.width();
  context.pool->run(useful_threads(context, work), grouped_sum_share, &p);
}

// The steps that a window reads.
static const TapRange* window_ranges(const Context& context, const Windows& w) {
  TapRange* ranges = context.arena->take<TapRange>(w.S);
  for (int s = 0; s < w.S; s++) {
    TapRange range = {0, 0, 0};
    for (int k = 0, t = s * w.stride - w.before; k < w.size; k++, t += w.dilation) {
      if (t < 0 || t >= w.T) continue;
      if (range.count++ == 0) range = {t, k, 1};
    }
    ranges[s] = range;
  }
  return ranges;
}

// The windows that read a step.
static const TapRange* step_ranges(const Context& context, const Windows& w) {
  TapRange* ranges = context.arena->take<TapRange>(w.T);
  for (int t = 0; t < w.T; t++) {
    TapRange range = {0, 0, 0};
    for (int k = 0, start = t + w.before; k < w.size && start >= 0; k++, start -= w.dilation) {
      if (start % w.stride != 0 || start / w.stride >= w.S) continue;
      if (range.count++ == 0) range = {start / w.stride, k, 1};
    }
    ranges[t] = range;
  }
  return ranges;
}

static void grouped_forward(const Context& context, const Conv1dArgs& args) {
  const Conv1dShape shape = args.shape();
  const Windows& w = args.windows;
  const int G = args.groups, width = shape.width(), outputs = shape.outputs(), N = args.B * w.S;
  float* packed = args.packed != nullptr
                      ? nullptr
                      : context.arena->take<float>(static_cast<std::size_t>(args.O) * w.size * width);
  if (packed != nullptr) pack_tap_planes(shape, args.weight, packed);
  GroupedSum sum = {};
  sum.B = args.B;
  sum.groups = G;
  sum.inner = width;
  sum.outer = outputs;
  sum.from_rows = w.T;
  sum.to_rows = w.S;
  sum.steps = {w.dilation, 1};
  sum.ranges = window_ranges(context, w);
  sum.from = as_planes(context, args.B * w.T, G, width, args.x);
  sum.taps = packed != nullptr ? packed : args.packed;
  sum.tap = tap_plane(shape, 1, 0, 0);
  sum.in = tap_plane(shape, 0, 1, 0);
  sum.out = G;
  sum.start = as_planes(context, 1, G, outputs, args.bias);
  sum.to = outputs == 1 ? args.y : context.arena->take<float>(static_cast<std::size_t>(N) * args.O);
  grouped_sum(context, args, sum);
  if (outputs > 1) exchange(context, {N, outputs, G, sum.to, args.y, false});
}

static void grouped_input_gradient(const Context& context, const Conv1dArgs& args, const float* dy) {
  const Conv1dShape shape = args.shape();
  const Windows& w = args.windows;
  const int G = args.groups, width = shape.width(), outputs = shape.outputs(), rows = args.B * w.T;
  int step = 1;  // taps that meet a window of the same step
  while (step * w.dilation % w.stride != 0) step++;
  float* taps = context.arena->take<float>(static_cast<std::size_t>(args.O) * w.size * width);
  pack_tap_planes(shape, args.weight, taps);
  GroupedSum sum = {};
  sum.B = args.B;
  sum.groups = G;
  sum.inner = outputs;
  sum.outer = width;
  sum.from_rows = w.S;
  sum.to_rows = w.T;
  sum.steps = {-(step * w.dilation / w.stride), step};
  sum.ranges = step_ranges(context, w);
  sum.from = dy;
  sum.taps = taps;
  sum.tap = tap_plane(shape, 1, 0, 0);
  sum.in = G;
  sum.out = tap_plane(shape, 0, 1, 0);
  if (width == 1) {
    sum.start = sum.to = args.dx;
    sum.start_stride = args.I;
  } else {
    sum.to = context.arena->take<float>(static_cast<std::size_t>(rows) * args.I);
  }
  grouped_sum(context, args, sum);
  if (width > 1) exchange(context, {rows, width, G, sum.to, args.dx, true});
}

}  // namespace lstm_native::LSTM_TARGET
