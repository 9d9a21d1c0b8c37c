// One LSTM layer and direction forward, all steps in one parallel region.
//
// x·W_ihᵀ is either multiplied inside the step (few inputs, or weights that stay in cache) or, chunk of steps
// by chunk, as one product before them. Both continue the same chain of sums (bias, then x, then h), so the
// choice does not change a bit.
#pragma once

namespace lstm_native::LSTM_TARGET {

struct Forward : Window {
  Cache cache;
  bool by_units;
  bool input_in_step;
  int chunk;  // steps whose input product is made at once
  PackedWeights weights;
  float* sums;    // [chunk][B][4H], where inference keeps what training keeps in the cache
  float* hidden;  // [2][B][hidden_stride], what multiplies W_hh: h, masked; step s reads half s & 1
  std::ptrdiff_t hidden_stride;
  float* cells;     // [B][H], inference
  float* squashed;  // [B][H], inference with a projection
  float* rows;      // [threads][kRows][10H], layer normalisation's working rows
  Barrier barrier;

  BRICK_MEMBER float* hidden_row(int s, int r) const {
    return hidden + (static_cast<std::ptrdiff_t>(s & 1) * args->B + r) * hidden_stride;
  }
  // Where the input's share of the sums of (s, r) stands, [4H].
  BRICK_MEMBER float* sums_row(int s, int r) const {
    const std::ptrdiff_t width = 4 * static_cast<std::ptrdiff_t>(args->H);
    if (args->cache == nullptr) return sums + (static_cast<std::ptrdiff_t>(s % chunk) * args->B + r) * width;
    return (args->layer_norm ? cache.input_hat : cache.gates) + schedule.number(r, s) * width;
  }
  BRICK_MEMBER float* cell_row(int s, int r) const {
    if (args->cache == nullptr) return cells + static_cast<std::ptrdiff_t>(r) * args->H;
    return cache.cells + static_cast<std::ptrdiff_t>(schedule.number(r, s)) * args->H;
  }
  BRICK_MEMBER const float* previous_cell_row(int s, int r) const {
    if (s > 0) return cell_row(s - 1, r);
    return args->c0 ? args->c0 + schedule.order[r] * args->c_stride : zeros;
  }
  BRICK_MEMBER float* squashed_row(int s, int r) const {
    if (args->cache == nullptr) return squashed + static_cast<std::ptrdiff_t>(r) * args->H;
    return cache.squashed + static_cast<std::ptrdiff_t>(schedule.number(r, s)) * args->H;
  }
};

// h of n units from column j on: zoneout, then into y and, masked, into what the next step multiplies.
BRICK void output_units(const Forward& run, int s, int r, int j, V h, int n) {
  const LstmArgs& args = *run.args;
  if (args.zoneout_hidden.any()) {
    const float* mask = run.mask_row(args.zoneout_hidden, s, r, args.R());
    const V z = zoneout_at(args.zoneout_hidden, mask ? mask + j : nullptr, n);
    h = zone(z, load(run.previous_output_row(s, r) + j, n), h);
  }
  store(args.y + output_offset(args, run.schedule, r, s) + j, h, n);
  if (args.recurrent_mask != nullptr) {
    h = mul(h,
            load(args.recurrent_mask + static_cast<std::ptrdiff_t>(run.schedule.order[r]) * args.R() + j, n));
  }
  store(run.hidden_row(s + 1, r) + j, h, n);
}

// The pointwise part of n units of row r from the sums of their four gates.
BRICK void finish_units(const Forward& run, int s, int r, int unit, const float* sums,
                        std::ptrdiff_t sum_stride, V* raw_cell, V* output_gate, int n) {
  const LstmArgs& args = *run.args;
  const float* mask = run.mask_row(args.zoneout_cell, s, r, args.H);
  CellRow row;
  row.c_previous = run.previous_cell_row(s, r) + unit;
  row.c = run.cell_row(s, r) + unit;
  row.gates =
      args.cache == nullptr
          ? nullptr
          : run.cache.gates + 4 * static_cast<std::ptrdiff_t>(run.schedule.number(r, s)) * args.H + unit;
  row.gate_stride = args.H;
  row.peephole = run.weights.peephole ? run.weights.peephole + unit : nullptr;
  row.peephole_stride = args.H;
  row.zoneout_mask = mask ? mask + unit : nullptr;
  cell_forward(row, args.zoneout_cell, sums, sum_stride, n, raw_cell, output_gate);
}

BRICK void emit_units(const Forward& run, int s, int r, int unit, V o, V squashable, int n) {
  const V squashed = mul(o, tanh(squashable));
  if (run.args->P > 0) {
    store(run.squashed_row(s, r) + unit, squashed, n);
  } else {
    output_units(run, s, r, unit, squashed, n);
  }
}

// Step s of a block of rows and a block of units u.
template <int R>
static void step_tile(const Forward& run, int s, const RowBlock& block, int u) {
  const LstmArgs& args = *run.args;
  const int unit = u * kWidth, n = args.H - unit;
  const float* rows[R];
  Tile<R> tile;
  if (run.input_in_step) {
    tile.start(run.weights.bias + u * kPanelColumns);
    for (int r = 0; r < R; r++) rows[r] = input_row(args, run.schedule, block.row[r], s);
    tile.multiply(RowsOfA{rows}, run.weights.input + static_cast<std::size_t>(u) * args.I * kPanelColumns,
                  args.I);
  } else {
    for (int r = 0; r < R; r++) rows[r] = run.sums_row(s, block.row[r]) + unit;
    tile.load_rows(rows, gate_columns(n, args.H));
  }
  for (int r = 0; r < R; r++) rows[r] = run.hidden_row(s, block.row[r]);
  tile.multiply(RowsOfA{rows}, run.weights.hidden + static_cast<std::size_t>(u) * args.R() * kPanelColumns,
                args.R());

  alignas(64) float sums[R * kPanelColumns];
  float* out[R];
  for (int r = 0; r < R; r++) out[r] = sums + r * kPanelColumns;
  tile.store_rows(out, neighbouring_columns(kPanelColumns));
  for (int r = 0; r < R; r++) {
    V c, o;
    finish_units(run, s, block.row[r], unit, out[r], kWidth, &c, &o, n);
    emit_units(run, s, block.row[r], unit, o, c, n);
  }
}

template <int R>
static void step_tile_of(const Forward& run, int s, const RowBlock& block, int u) {
  if (block.count == R) {
    step_tile<R>(run, s, block, u);
  } else if constexpr (R > 1) {
    step_tile_of<R - 1>(run, s, block, u);
  }
}

#include "input_product.inl.h"

// Panels are walked back and forth from step to step: the last ones of a step are still in cache when the
// next begins.
static void plain_step(const Forward& run, const Share& mine, int s) {
  const int active = run.schedule.active[s];
  for (int i = mine.unit0; i < mine.unit1; i++) {
    const int u = (s & 1) == 0 ? i : mine.unit0 + mine.unit1 - 1 - i;
    for (RowBlocks rows(mine, active); rows.next();) {
      step_tile_of<kRows>(run, s, rows.block, u);
    }
  }
}

#include "normalized_forward.inl.h"
#include "projection_forward.inl.h"

// What a row starts from, and zeros where y is padding.
static void start_row(const Forward& run, int r) {
  const LstmArgs& args = *run.args;
  const Schedule& schedule = run.schedule;
  const int R = args.R(), b = schedule.order[r];
  float* h = run.hidden_row(0, r);
  for (int j = 0; j < R; j++) {
    float value = args.h0 ? args.h0[b * args.h_stride + j] : 0;
    if (args.recurrent_mask != nullptr) value *= args.recurrent_mask[static_cast<std::ptrdiff_t>(b) * R + j];
    h[j] = value;
  }
  for (int t = schedule.length[r]; t < args.T; t++) {
    std::memset(args.y + b * args.y_batch_stride + t * args.y_time_stride, 0, sizeof(float) * R);
  }
}

static void finish_row(const Forward& run, int r) {
  const LstmArgs& args = *run.args;
  const int steps = run.schedule.length[r], b = run.schedule.order[r];
  const std::size_t R = args.R(), H = args.H;
  // memmove: hn and cn may be h0 and c0 themselves.
  std::memmove(args.hn + b * args.h_stride, run.previous_output_row(steps, r), sizeof(float) * R);
  std::memmove(args.cn + b * args.c_stride, run.previous_cell_row(steps, r), sizeof(float) * H);
}

static void forward_share(void* data, int index, int count) {
  Forward& run = *static_cast<Forward*>(data);
  const LstmArgs& args = *run.args;
  const bool by_units = run.by_units && count > 1;
  const Share mine = Share::of(by_units, unit_blocks(args.H), 0, index, count);
  if (args.packed == nullptr) pack_weights(args, args.weights, run.weights, index, count);
  for (int r = index; r < args.B; r += count) start_row(run, r);
  run.barrier.wait(count);
  for (int s0 = 0; s0 < run.schedule.steps; s0 += run.chunk) {
    const int s1 = s0 + run.chunk < run.schedule.steps ? s0 + run.chunk : run.schedule.steps;
    if (!run.input_in_step) input_product(run, mine, s0, s1);
    for (int s = s0; s < s1; s++) {
      if (args.layer_norm) {
        normalized_step(run, mine, s);
      } else {
        plain_step(run, mine, s);
      }
      if (args.P > 0) projection_step(run, mine, s);
      if (by_units) run.barrier.wait(count);
    }
  }
  run.barrier.wait(count);
  for (int r = index; r < args.B; r += count) finish_row(run, r);
}

// Steps whose input product fits beside the weights in L2.
BRICK int steps_per_chunk(const LstmArgs& args) {
  const std::size_t bytes_per_step = sizeof(float) * 4 * static_cast<std::size_t>(args.H) * args.B + 1;
  const std::size_t steps = (std::size_t{256} << 10) / bytes_per_step;
  return steps < 1 ? 1 : steps > static_cast<std::size_t>(args.T) ? args.T : static_cast<int>(steps);
}

// A product ahead of the steps reads W_ih once a chunk where the steps would read it every time; it has to
// write and read the sums instead. With few inputs, or a tile's worth of rows and weights that stay in L2,
// the steps are the better place.
BRICK bool multiply_input_in_step(const LstmArgs& args) {
  if (args.layer_norm) return false;
  const std::size_t weight_bytes = sizeof(float) * 4 * static_cast<std::size_t>(args.H) * (args.I + args.R());
  return args.I <= 8 || (args.B >= kRows && weight_bytes <= (std::size_t{512} << 10));
}

static void prepare_forward(const Context& context, const LstmArgs& args, int threads, Forward& run) {
  Arena& arena = *context.arena;
  const std::size_t B = args.B, H = args.H, R = args.R();
  run.args = &args;
  run.schedule = make_schedule(context, args);
  if (args.cache != nullptr) run.cache = cache_sections(args, args.cache);
  run.by_units = share_by_units(context, args, threads);
  run.input_in_step = multiply_input_in_step(args);
  run.chunk = args.T < 1 ? 1 : steps_per_chunk(args);
  // Packed weights are read, never written, so the cast gives nothing away.
  float* packed = const_cast<float*>(args.packed);
  if (packed == nullptr) packed = arena.take<float>(lstm_packed_length(args, LstmPass::forward));
  packed_sections(args, packed, &run.weights);
  run.hidden_stride = row_stride(args.R());
  run.hidden = arena.take<float>(2 * B * run.hidden_stride);
  if (args.cache == nullptr) {
    if (!run.input_in_step) run.sums = arena.take<float>(run.chunk * B * 4 * H);
    run.cells = arena.take<float>(B * H);
    if (args.P > 0) run.squashed = arena.take<float>(B * H);
  }
  const std::size_t longest = H > R ? H : R;
  run.zeros = arena.take<float>(longest);
  std::memset(run.zeros, 0, sizeof(float) * longest);
  if (args.layer_norm) run.rows = arena.take<float>(threads * kRows * 10 * H);
}

static void lstm_forward(const Context& context, const LstmArgs* directions, int count) {
  for (int d = 0; d < count; d += 2) {
    PairRun<Forward> pair = {};
    pair.count = count - d < 2 ? 1 : 2;
    const int threads = pair_threads(context, directions + d, pair.count);
    for (int i = 0; i < pair.count; i++) {
      prepare_forward(context, directions[d + i], threads_of_one(threads, pair.count), pair.runs[i]);
    }
    context.pool->run(threads, pair_share<Forward, forward_share>, &pair);
  }
}

}  // namespace lstm_native::LSTM_TARGET
