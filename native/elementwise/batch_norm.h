// Batch normalisation (Ioffe & Szegedy 2015): every channel over all rows that count.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Sums over rows, `sums` doubles for each channel: chunks of rows, which threads share out, and the chunks'
// results in their order, so that the bits do not depend on the threads.
template <typename Terms>
struct ChannelSums {
  int N, C, sums;
  Terms terms;
  double* parts;  // [chunks][sums][C]
};

BRICK int row_chunks(int N) { return (N + kChunk - 1) / kChunk; }

template <typename Terms>
static void channel_sums_share(void* data, int index, int count) {
  const ChannelSums<Terms>& run = *static_cast<const ChannelSums<Terms>*>(data);
  const std::ptrdiff_t length = static_cast<std::ptrdiff_t>(run.sums) * run.C;
  int first, last;
  share(row_chunks(run.N), index, count, &first, &last);
  for (int chunk = first; chunk < last; chunk++) {
    double* part = run.parts + chunk * length;
    for (int i = 0; i < length; i++) part[i] = 0;
    const int start = chunk * kChunk, end = run.N - start < kChunk ? run.N : start + kChunk;
    for (int n = start; n < end; n++) run.terms.add(n, run.C, part);
  }
}

// [sums][C]
template <typename Terms>
static double* channel_sums(const Context& context, int N, int C, int sums, Terms terms) {
  const int chunks = row_chunks(N), length = sums * C;
  double* total = context.arena->take<double>(length);
  ChannelSums<Terms> run = {N, C, sums, terms, nullptr};
  run.parts = context.arena->take<double>(static_cast<std::size_t>(chunks) * length);
  const double work = static_cast<double>(N) * length * kCheap;
  context.pool->run(useful_threads(context, work), channel_sums_share<Terms>, &run);
  for (int i = 0; i < length; i++) {
    total[i] = 0;
    for (std::ptrdiff_t chunk = 0; chunk < chunks; chunk++) total[i] += run.parts[chunk * length + i];
  }
  return total;
}

BRICK bool row_counts(const std::uint8_t* mask, int n) { return mask == nullptr || mask[n] != 0; }

struct ChannelValues {
  const float* x;
  const std::uint8_t* mask;
  BRICK_MEMBER void add(int n, int C, double* part) const {
    if (!row_counts(mask, n)) return;
    const float* row = x + static_cast<std::ptrdiff_t>(n) * C;
    for (int c = 0; c < C; c++) part[c] += row[c];
  }
};

struct ChannelSquares {
  const float* x;
  const std::uint8_t* mask;
  const double* mean;
  BRICK_MEMBER void add(int n, int C, double* part) const {
    if (!row_counts(mask, n)) return;
    const float* row = x + static_cast<std::ptrdiff_t>(n) * C;
    for (int c = 0; c < C; c++) part[c] += (row[c] - mean[c]) * (row[c] - mean[c]);
  }
};

// Σ dy and Σ dy∘x̂; where dy is 0 x may be anything.
struct ChannelGradients {
  const BatchNormArgs* args;
  const double* rstd;
  BRICK_MEMBER void add(int n, int C, double* part) const {
    const float* x = args->x + static_cast<std::ptrdiff_t>(n) * C;
    const float* dy = args->dy + static_cast<std::ptrdiff_t>(n) * C;
    for (int c = 0; c < C; c++) {
      const double hat = dy[c] == 0 ? 0 : (static_cast<double>(x[c]) - args->mean[c]) * rstd[c];
      part[c] += dy[c];
      part[C + c] += dy[c] * hat;
    }
  }
};

static int counted_rows(const BatchNormArgs& args) {
  int count = 0;
  for (int n = 0; n < args.N; n++) count += row_counts(args.mask, n) ? 1 : 0;
  return count;
}

static void batch_norm_statistics(const Context& context, const BatchNormArgs& args) {
  const double count = counted_rows(args);
  double* mean = channel_sums(context, args.N, args.C, 1, ChannelValues{args.x, args.mask});
  for (int c = 0; c < args.C; c++) mean[c] /= count;
  const double* squares = channel_sums(context, args.N, args.C, 1, ChannelSquares{args.x, args.mask, mean});
  for (int c = 0; c < args.C; c++) {
    args.mean[c] = static_cast<float>(mean[c]);
    args.variance[c] = static_cast<float>(squares[c] / count);
  }
}

static const double* channel_rstd(const Context& context, const BatchNormArgs& args) {
  double* rstd = context.arena->take<double>(args.C);
  for (int c = 0; c < args.C; c++) {
    rstd[c] =
        args.variance != nullptr ? 1 / __builtin_sqrt(static_cast<double>(args.variance[c]) + args.eps) : 1;
  }
  return rstd;
}

// Rows of y = (x - mean)·scale + shift.
struct ChannelScaling {
  const float* x;
  const float* mean;
  const float* scale;
  const float* shift;
  float* y;

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t c, Lanes lanes) const {
    const V centred = sub(lanes.get(x + c), lanes.get(mean + c));
    lanes.put(y + c, fma(centred, lanes.get(scale + c), lanes.get(shift + c)));
  }
};

// Rows of dx += scale·(dy - mean_dy - (x - mean)·slope).
struct ChannelGradient {
  const float* x;
  const float* mean;
  const float* scale;
  const float* mean_dy;
  const float* slope;
  const float* dy;
  float* dx;

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t c, Lanes lanes) const {
    const V centred = sub(lanes.get(x + c), lanes.get(mean + c));
    const V own = sub(lanes.get(dy + c), lanes.get(mean_dy + c));
    const V through = fnma(centred, lanes.get(slope + c), own);
    lanes.put(dx + c, fma(lanes.get(scale + c), through, lanes.get(dx + c)));
  }
};

struct BatchNormRun {
  const BatchNormArgs* args;
  const float* mean;  // [C], like the others
  const float* scale;
  const float* shift;
  const float* mean_dy;
  const float* slope;
};

static BatchNormRun batch_norm_run(const Context& context, const BatchNormArgs& args, const double* rstd) {
  BatchNormRun run = {&args, args.mean, nullptr, args.shift, nullptr, nullptr};
  float* scale = context.arena->take<float>(args.C);
  for (int c = 0; c < args.C; c++)
    scale[c] = static_cast<float>(rstd[c] * (args.gain != nullptr ? args.gain[c] : 1));
  run.scale = scale;
  if (run.mean == nullptr) run.mean = filled_row(context, args.C, 0);
  if (run.shift == nullptr) run.shift = filled_row(context, args.C, 0);
  return run;
}

static int batch_norm_threads(const Context& context, const BatchNormArgs& args) {
  return useful_threads(context, static_cast<double>(args.N) * args.C * kCheap);
}

static void batch_norm_forward_share(void* data, int index, int count) {
  const BatchNormRun& run = *static_cast<const BatchNormRun*>(data);
  const int C = run.args->C;
  int first, last;
  share(run.args->N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    const ChannelScaling row = {run.args->x + n * C, run.mean, run.scale, run.shift, run.args->y + n * C};
    each_vector(row, 0, C);
  }
}

static void batch_norm_forward(const Context& context, const BatchNormArgs& args) {
  BatchNormRun run = batch_norm_run(context, args, channel_rstd(context, args));
  context.pool->run(batch_norm_threads(context, args), batch_norm_forward_share, &run);
}

static void batch_norm_gradient_share(void* data, int index, int count) {
  const BatchNormRun& run = *static_cast<const BatchNormRun*>(data);
  const BatchNormArgs& args = *run.args;
  const int C = args.C;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    const float* dy = args.dy + n * C;
    float* dx = args.dx + n * C;
    if (args.of_batch && row_counts(args.mask, static_cast<int>(n))) {
      const float* x = args.x + n * C;
      each_vector(ChannelGradient{x, run.mean, run.scale, run.mean_dy, run.slope, dy, dx}, 0, C);
    } else {
      // The statistics do not depend on the x of such a row: dx += scale·dy.
      each_vector(MultiplyAddition{run.scale, dy, dx}, 0, C);
    }
  }
}

static void batch_norm_backward(const Context& context, const BatchNormArgs& args) {
  const int C = args.C;
  const double* rstd = channel_rstd(context, args);
  const double* sums = channel_sums(context, args.N, C, 2, ChannelGradients{&args, rstd});
  for (int c = 0; c < C; c++) {
    if (args.dshift != nullptr) args.dshift[c] += static_cast<float>(sums[c]);
    if (args.dgain != nullptr) args.dgain[c] += static_cast<float>(sums[C + c]);
  }
  if (args.dx == nullptr) return;
  BatchNormRun run = batch_norm_run(context, args, rstd);
  const double count = counted_rows(args);
  float* mean_dy = context.arena->take<float>(C);
  float* slope = context.arena->take<float>(C);
  for (int c = 0; c < C; c++) {
    mean_dy[c] = static_cast<float>(sums[c] / count);
    slope[c] = static_cast<float>(sums[C + c] / count * rstd[c]);
  }
  run.mean_dy = mean_dy;
  run.slope = slope;
  context.pool->run(batch_norm_threads(context, args), batch_norm_gradient_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
