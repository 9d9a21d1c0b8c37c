// One LSTM layer and direction forward, all steps in one parallel region.
//
// x·W_ihᵀ is either multiplied inside the step (few inputs, or weights that stay in cache) or, chunk of steps
// by chunk, as one product before them. Both continue the same chain of sums (bias, then x, then h), so the
// choice does not change a bit.
#pragma once

namespace lstm_native::LSTM_TARGET {

struct Forward : Window {
  bool by_units;
  bool input_in_step;
  int chunk;  // steps whose input product is made at once
  PackedWeights weights;
  // The input's share of the sums ahead of their steps: of inference, whose training keeps them where the
  // gates will be, [chunk·B] rows; with layer normalisation [chunk·B][4H].
  UnitRows sums;
  float* input_rows;
  float* hidden;  // [2][B][hidden_stride], what multiplies W_hh: h, masked; step s reads half s & 1
  std::ptrdiff_t hidden_stride;
  UnitRows cells;   // [B], inference
  float* squashed;  // [B][H], inference with a projection
  float* rows;      // [threads][kRows][10H], layer normalisation's working rows
  Barrier barrier;

  BRICK_MEMBER float* hidden_row(int s, int r) const {
    return hidden + (static_cast<std::ptrdiff_t>(s & 1) * args->B + r) * hidden_stride;
  }
  BRICK_MEMBER std::ptrdiff_t number_in_chunk(int s, int r) const {
    return static_cast<std::ptrdiff_t>(s % chunk) * args->B + r;
  }
  // [4][kWidth], where the input's share of the sums of a block of units stands.
  BRICK_MEMBER float* sums_of(int u, int s, int r) const {
    return args->cache == nullptr ? sums.at(u, number_in_chunk(s, r))
                                  : cache.gates.at(u, schedule.number(r, s));
  }
  // [4H], the same with layer normalisation.
  BRICK_MEMBER float* input_row_sums(int s, int r) const {
    const std::ptrdiff_t width = 4 * static_cast<std::ptrdiff_t>(args->H);
    if (args->cache == nullptr) return input_rows + number_in_chunk(s, r) * width;
    return cache.input_hat + schedule.number(r, s) * width;
  }
  BRICK_MEMBER float* cell(int u, int s, int r) const {
    return args->cache == nullptr ? cells.at(u, r) : cache.cells.at(u, schedule.number(r, s));
  }
  BRICK_MEMBER const float* previous_cell(int u, int s, int r) const {
    return s > 0 ? cell(u, s - 1, r) : first_cells.at(u, r);
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

// The pointwise part of a block of units of row r from the sums of their four gates.
template <typename Functions>
BRICK void finish_units(const Forward& run, const Functions& functions, int s, int r, int u,
                        const float* sums, std::ptrdiff_t sum_stride, V* raw_cell, V* output_gate) {
  const LstmArgs& args = *run.args;
  const int unit = u * kWidth;
  const float* mask = run.mask_row(args.zoneout_cell, s, r, args.H);
  CellRow row;
  row.c_previous = run.previous_cell(u, s, r);
  row.c = run.cell(u, s, r);
  row.gates = args.cache == nullptr ? nullptr : run.cache.gates.at(u, run.schedule.number(r, s));
  row.gate_stride = run.cache.gate_stride;
  row.lanes = run.lanes(unit);
  row.peephole = run.weights.peephole ? run.weights.peephole + unit : nullptr;
  row.peephole_stride = args.H;
  row.zoneout_mask = mask ? mask + unit : nullptr;
  cell_forward(functions, row, args.zoneout_cell, sums, sum_stride, args.H - unit, raw_cell, output_gate);
}

template <typename Functions>
BRICK void emit_units(const Forward& run, const Functions& functions, int s, int r, int unit, V o,
                      V squashable, int n) {
  const V squashed = mul(o, functions.output(squashable));
  if (run.args->P > 0) {
    store(run.squashed_row(s, r) + unit, squashed, n);
  } else {
    output_units(run, s, r, unit, squashed, n);
  }
}

NOINLINE void varied_units(const Forward& run, int s, int r, int u, const float* sums) {
  const Varied functions = {run.args->variant};
  V c, o;
  finish_units(run, functions, s, r, u, sums, kWidth, &c, &o);
  emit_units(run, functions, s, r, u * kWidth, o, c, run.args->H - u * kWidth);
}

// Step s of a block of rows and a block of units u.
template <int R>
static void step_tile(const Forward& run, int s, const RowBlock& block, int u) {
  const LstmArgs& args = *run.args;
  const int unit = u * kWidth;
  const float* rows[R];
  Tile<R> tile;
  if (run.input_in_step) {
    tile.start(run.weights.bias + u * kPanelColumns);
    for (int r = 0; r < R; r++) rows[r] = input_row(args, run.schedule, block.row[r], s);
    tile.multiply(RowsOfA{rows}, run.weights.input + static_cast<std::size_t>(u) * args.I * kPanelColumns,
                  args.I);
  } else {
    for (int r = 0; r < R; r++) rows[r] = run.sums_of(u, s, block.row[r]);
    tile.load_rows(rows, neighbouring_columns(kPanelColumns));
  }
  for (int r = 0; r < R; r++) rows[r] = run.hidden_row(s, block.row[r]);
  tile.multiply(RowsOfA{rows}, run.weights.hidden + static_cast<std::size_t>(u) * args.R() * kPanelColumns,
                args.R());

  alignas(64) float sums[R * kPanelColumns];
  float* out[R];
  for (int r = 0; r < R; r++) out[r] = sums + r * kPanelColumns;
  tile.store_rows(out, neighbouring_columns(kPanelColumns));
  if (__builtin_expect(args.varied, false)) {
    for (int r = 0; r < R; r++) varied_units(run, s, block.row[r], u, out[r]);
    return;
  }
  for (int r = 0; r < R; r++) {
    V c, o;
    finish_units(run, Standard(), s, block.row[r], u, out[r], kWidth, &c, &o);
    emit_units(run, Standard(), s, block.row[r], unit, o, c, args.H - unit);
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
  scatter_units(run.first_cells, r, args.c0 ? args.c0 + b * args.c_stride : nullptr, args.H);
  float* h = run.hidden_row(0, r);
  for (int j = 0; j < R; j++) {
    float value = args.h0 ? args.h0[b * args.h_stride + j] : 0;
    if (args.recurrent_mask != nullptr) value *= args.recurrent_mask[static_cast<std::ptrdiff_t>(b) * R + j];
    h[j] = value;
  }
  for (int t = schedule.length[r]; t < args.T && args.offsets == nullptr; t++) {
    std::memset(args.y + b * args.y_batch_stride + t * args.y_time_stride, 0, sizeof(float) * R);
  }
}

static void finish_row(const Forward& run, int r) {
  const LstmArgs& args = *run.args;
  const int steps = run.schedule.length[r], b = run.schedule.order[r];
  // memmove: hn may be h0 itself.
  std::memmove(args.hn + b * args.h_stride, run.previous_output_row(steps, r), sizeof(float) * args.R());
  const bool kept = steps > 0 && args.cache != nullptr;
  gather_units(steps == 0 ? run.first_cells
               : kept     ? run.cache.cells
                          : run.cells,
               kept ? run.schedule.number(r, steps - 1) : r, args.cn + b * args.c_stride, args.H);
}

// Steps [s0, s1) of a thread's share, no more than a chunk of them.
static void forward_steps(Forward& run, const Share& mine, int s0, int s1) {
  if (!run.input_in_step) input_product(run, mine, s0, s1);
  for (int s = s0; s < s1; s++) {
    if (run.args->layer_norm) {
      normalized_step(run, mine, s);
    } else {
      plain_step(run, mine, s);
    }
    if (run.args->P > 0) projection_step(run, mine, s);
    if (mine.by_units) run.barrier.wait(mine.count);
  }
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
    forward_steps(run, mine, s0, s1);
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
  const std::size_t B = args.B, H = args.H;
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
  const std::size_t padded = padded_units(args.H);
  run.first_cells = UnitRows::blocks(arena.take<float>(B * padded), B, 1);
  if (args.cache == nullptr) {
    const std::size_t rows = run.chunk * B;
    if (args.layer_norm) {
      run.input_rows = arena.take<float>(rows * 4 * H);
    } else if (!run.input_in_step) {
      run.sums = UnitRows::blocks(arena.take<float>(rows * 4 * padded), rows, 4);
    }
    run.cells = run.first_cells;
    if (args.P > 0) run.squashed = arena.take<float>(B * H);
  }
  run.zeros = arena.take<float>(args.R());
  std::memset(run.zeros, 0, sizeof(float) * args.R());
  if (args.layer_norm) run.rows = arena.take<float>(threads * kRows * 10 * H);
}

static void lstm_forward(const Context& context, const LstmArgs* directions, int count) {
  for (int d = 0; d < count; d += 2) {
    PairRun<Forward> pair = {};
    pair.count = count - d < 2 ? 1 : 2;
    const int threads = threads_for(context, directions + d, pair.count);
    for (int i = 0; i < pair.count; i++) {
      prepare_forward(context, directions[d + i], threads_of_one(threads, pair.count), pair.runs[i]);
    }
    context.pool->run(threads, pair_share<Forward, forward_share>, &pair);
  }
}

}  // namespace lstm_native::LSTM_TARGET
