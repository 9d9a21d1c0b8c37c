// How an LSTM call is shared out among threads: the cost model, and both directions of a layer at once.
#pragma once

namespace lstm_native::LSTM_TARGET {

// What a step costs, in nanoseconds, from figures of the machines this was measured on (docs/performance.md).
// Only their ratios matter: they decide between two ways of sharing, which give the same bits.
constexpr double kMultiplyAddsPerNanosecond = 3.5 * kWidth;  // of one core, at some 90 % of the peak
constexpr double kNearBytesPerNanosecond = 100;              // weights read from the core's own L2
constexpr double kFarBytesPerNanosecond = 30;                // weights read from beyond it
constexpr double kBarrierNanoseconds = 400;                  // one meeting of all threads
constexpr double kSharedCacheBytes = 16 << 20;               // weights of all layers that stay out of memory
constexpr double kExchangeNanosecondsPerLine = 5;            // a line of h that another core has just written

BRICK double reading_time(const Context& context, double bytes) {
  // Part of L2 holds what else a step touches.
  const bool near = bytes <= 0.75 * static_cast<double>(context.l2_bytes);
  return bytes / (near ? kNearBytesPerNanosecond : kFarBytesPerNanosecond);
}

// A step's h·W_hhᵀ multiplies 4H·R·B numbers and reads 4H·R weights. By rows each thread does its part of the
// first and all of the second; by units its part of both, but pays the meeting and fetches the others' part
// of h.
BRICK double recurrent_time(const Context& context, const LstmArgs& args, int threads, bool by_units) {
  const double weights = 4.0 * args.H * args.R() + static_cast<double>(args.P) * args.H;
  const double rows_each =
      by_units ? static_cast<double>(args.B) / threads : (args.B + threads - 1) / threads;
  const double multiply = weights * rows_each / kMultiplyAddsPerNanosecond;
  const double read = reading_time(context, 4 * weights / (by_units ? threads : 1));
  const double step = multiply > read ? multiply : read;
  if (!by_units) return step;
  const double lines = static_cast<double>(args.B) * args.R() / 16 * (threads - 1) / threads;
  return step + kBarrierNanoseconds + lines * kExchangeNanosecondsPerLine;
}

// Whether units rather than sequences are shared out.
BRICK bool share_by_units(const Context& context, const LstmArgs& args, int threads) {
  if (threads == 1 || args.P > 0 || args.layer_norm) return false;  // the latter need whole rows
  if (context.sharing == Sharing::rows || context.sharing == Sharing::units)
    return context.sharing == Sharing::units;
  return recurrent_time(context, args, threads, true) < recurrent_time(context, args, threads, false);
}

// One direction, or two that run at once, each on its part of the threads.
template <typename Run>
struct PairRun {
  Run runs[2];
  int count;
};

template <typename Run, Task task>
static void pair_share(void* data, int index, int count) {
  PairRun<Run>& pair = *static_cast<PairRun<Run>*>(data);
  if (pair.count == 1) {
    task(&pair.runs[0], index, count);
  } else if (count == 1) {
    task(&pair.runs[0], 0, 1);
    task(&pair.runs[1], 0, 1);
  } else {
    const int d = index % 2;
    task(&pair.runs[d], index / 2, (count + 1 - d) / 2);
  }
}

BRICK int threads_of_one(int threads, int count) { return count == 1 ? threads : (threads + 1) / 2; }

// The threads worth waking for layers or directions of one region.
BRICK int threads_for(const Context& context, const LstmArgs* calls, int count) {
  double work = 0;
  for (int i = 0; i < count; i++) {
    const LstmArgs& args = calls[i];
    work += 4.0 * args.H * (args.I + args.R()) * args.B * args.T;
  }
  return useful_threads(context, work);
}

// A step of a layer, the input's part with it; that one multiplies more than it reads.
BRICK double step_time(const Context& context, const LstmArgs& args, int threads) {
  const bool by_units = share_by_units(context, args, threads);
  const double rows_each =
      by_units ? static_cast<double>(args.B) / threads : (args.B + threads - 1) / threads;
  return recurrent_time(context, args, threads, by_units) +
         4.0 * args.H * args.I * rows_each / kMultiplyAddsPerNanosecond;
}

// Steps between two meetings of a wavefront: whole tiles for the input's product.
BRICK int wavefront_chunk(const LstmArgs& args) { return (kRows + args.B - 1) / args.B; }

// The threads that a stack of layers runs on as a wavefront, or 0 where one layer after another is faster.
static int wavefront_threads(const Context& context, const LstmArgs* layers, int count) {
  const int T = layers[0].T;
  if (count == 1 || T <= 1 || layers[0].B == 0) return 0;
  if (context.sharing == Sharing::layers) return count < context.threads ? count : context.threads;
  if (context.sharing != Sharing::automatic) return 0;
  const int useful = threads_for(context, layers, count), threads = count < useful ? count : useful;
  if (threads == 1) return 0;
  double in_turn = 0, bytes = 0, slowest = 0;
  for (int l = 0; l < count; l++) {
    in_turn += T * step_time(context, layers[l], threads_for(context, layers + l, 1));
    bytes += sizeof(float) * static_cast<double>(lstm_packed_length(layers[l], LstmPass::forward));
  }
  for (int i = 0; i < threads; i++) {
    int first, last;
    share(count, i, threads, &first, &last);
    double group = 0;
    for (int l = first; l < last; l++) group += step_time(context, layers[l], 1);
    if (group > slowest) slowest = group;
  }
  // The last thread begins when the wave has come to it.
  const int chunk = wavefront_chunk(layers[0]);
  const double wave = (T + (threads - 1) * chunk) * (slowest + kBarrierNanoseconds / chunk);
  return bytes <= kSharedCacheBytes && wave < in_turn ? threads : 0;
}

}  // namespace lstm_native::LSTM_TARGET
