// How an LSTM call is shared out among threads: the cost model, and both directions of a layer at once.
#pragma once

namespace lstm_native::LSTM_TARGET {

// What a step costs, in nanoseconds, from figures of the machines this was measured on (docs/performance.md).
// Only their ratios matter: they decide between two ways of sharing, which give the same bits.
constexpr double kMultiplyAddsPerNanosecond = 3.5 * kWidth;  // of one core, at some 90 % of the peak
constexpr double kNearBytesPerNanosecond = 100;              // weights read from the core's own L2
constexpr double kFarBytesPerNanosecond = 30;                // weights read from beyond it
constexpr double kBarrierNanoseconds = 400;                  // one meeting of all threads
constexpr double kExchangeNanosecondsPerLine = 5;            // a line of h that another core has just written

BRICK double reading_time(const Context& context, double bytes) {
  // Part of L2 holds what else a step touches.
  const bool near = bytes <= 0.75 * static_cast<double>(context.l2_bytes);
  return bytes / (near ? kNearBytesPerNanosecond : kFarBytesPerNanosecond);
}

// Whether units rather than sequences are shared out. A step over B sequences multiplies 4H·K·B numbers and
// reads 4H·K weights: by rows each thread does its part of the first and all of the second; by units it does
// its part of both, but pays the meeting and fetches the others' part of h.
BRICK bool share_by_units(const Context& context, const LstmArgs& args, int threads) {
  if (threads == 1 || args.P > 0 || args.layer_norm) return false;  // the latter need whole rows
  if (context.sharing != Sharing::automatic) return context.sharing == Sharing::units;
  const double weights = 4.0 * args.H * args.R(), rows_each = (args.B + threads - 1) / threads;
  const double by_rows_multiply = weights * rows_each / kMultiplyAddsPerNanosecond;
  const double by_rows_read = reading_time(context, 4 * weights);
  const double by_units_multiply = weights * args.B / threads / kMultiplyAddsPerNanosecond;
  const double by_units_read = reading_time(context, 4 * weights / threads);
  const double lines = static_cast<double>(args.B) * args.R() / 16 * (threads - 1) / threads;
  const double by_rows = by_rows_multiply > by_rows_read ? by_rows_multiply : by_rows_read;
  const double by_units = (by_units_multiply > by_units_read ? by_units_multiply : by_units_read) +
                          kBarrierNanoseconds + lines * kExchangeNanosecondsPerLine;
  return by_units < by_rows;
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

BRICK int pair_threads(const Context& context, const LstmArgs* directions, int count) {
  double work = 0;
  for (int d = 0; d < count; d++) {
    const LstmArgs& args = directions[d];
    work += 4.0 * args.H * (args.I + args.R()) * args.B * args.T;
  }
  return useful_threads(context, work);
}

}  // namespace lstm_native::LSTM_TARGET
