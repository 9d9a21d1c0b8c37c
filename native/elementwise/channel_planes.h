// Channels and weights of a convolution as planes, [row][channel of the group][groups]: vectors then run
// along the groups, where these are many and narrow and a product for each would be mostly padding and calls.
// Groups of one channel lie so from the start.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Whether this is the faster way, in vectors multiplied for a row, of which a product has some besides for
// each group. The shape alone decides.
BRICK bool runs_along_groups(const Conv1dShape& shape) {
  const int K = shape.size * shape.width();
  if (shape.groups == 1 || K > kChunk || shape.size * shape.outputs() > kChunk) return false;
  const std::int64_t vectors = (shape.groups + kWidth - 1) / kWidth;
  const std::int64_t panels = (shape.outputs() + kWidth - 1) / kWidth;
  return vectors * K * shape.outputs() <= shape.groups * (K * panels + 8);
}

// Each row of [a][b] as [b][a], or added to it.
struct ExchangeRun {
  int rows, a, b;
  const float* from;
  float* to;
  bool adds;
};

static void exchange_share(void* data, int index, int count) {
  const ExchangeRun& run = *static_cast<const ExchangeRun*>(data);
  int first, last;
  share(run.rows, index, count, &first, &last);
  const std::ptrdiff_t length = static_cast<std::ptrdiff_t>(run.a) * run.b;
  for (std::ptrdiff_t row = first; row < last; row++) {
    const float* from = run.from + row * length;
    float* to = run.to + row * length;
    for (std::ptrdiff_t j = 0; j < run.b; j++, to += run.a) {
      for (std::ptrdiff_t i = 0; i < run.a; i++) {
        const float value = from[i * run.b + j];
        to[i] = run.adds ? to[i] + value : value;
      }
    }
  }
}

static void exchange(const Context& context, ExchangeRun run) {
  const double values = static_cast<double>(run.rows) * run.a * run.b;
  context.pool->run(useful_threads(context, values * kCheap), exchange_share, &run);
}

// Rows of [groups][channels] as planes; rows of single channels are some already.
static const float* as_planes(const Context& context, int rows, int groups, int channels, const float* from) {
  if (channels == 1 || from == nullptr) return from;
  const std::size_t length = static_cast<std::size_t>(rows) * groups * channels;
  float* planes = context.arena->take<float>(length);
  exchange(context, {rows, groups, channels, from, planes, false});
  return planes;
}

// Where a weight, element (group, output, input, tap), lies among the planes [size][width][outputs][groups].
BRICK std::ptrdiff_t tap_plane(const Conv1dShape& shape, int k, int i, int j) {
  return ((static_cast<std::ptrdiff_t>(k) * shape.width() + i) * shape.outputs() + j) * shape.groups;
}

BRICK std::ptrdiff_t weight_at(const Conv1dShape& shape, int group, int k, int i, int j) {
  const std::ptrdiff_t o = static_cast<std::ptrdiff_t>(group) * shape.outputs() + j;
  return (o * shape.width() + i) * shape.size + k;
}

static void pack_tap_planes(const Conv1dShape& shape, const float* weight, float* planes) {
  for (int k = 0; k < shape.size; k++) {
    for (int i = 0; i < shape.width(); i++) {
      for (int j = 0; j < shape.outputs(); j++) {
        float* plane = planes + tap_plane(shape, k, i, j);
        for (int g = 0; g < shape.groups; g++) plane[g] = weight[weight_at(shape, g, k, i, j)];
      }
    }
  }
}

}  // namespace lstm_native::LSTM_TARGET
