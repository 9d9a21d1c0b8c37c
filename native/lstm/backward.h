// One LSTM layer and direction backward through time.
//
// Per step only what the recurrence needs: dh = dgates·W_hh and the pointwise part, which turns the
// activations kept by the forward pass into the gradients of the gates' sums, in place. Afterwards the
// gradients of weights, biases and input are single products and sums over all steps.
#pragma once

namespace lstm_native::LSTM_TARGET {

struct Backward : Window, BackwardPanels {
  const Context* context;
  bool by_units;
  UnitRows dc;           // [B] gradient of the cell carried back
  float* carry;          // [B][R] gradient of h that zoneout passes by the step, or null
  float* d_output;       // [N][R] gradient of a projection's result, or null
  UnitRows raw_cell;     // [N] ĉ, for the peepholes' gradient, or null
  float* d_hidden_sums;  // [B][4H] gradient of h·W_hhᵀ of the step above, layer normalisation only
  float* d_normalized;   // [N][H] gradient of the normalised cell
  float* cell_hat;       // [N][H] normalised cell before gain and shift
  float* rows;           // [threads][kRows][2H] working rows
  Barrier barrier;

  BRICK_MEMBER const float* previous_cell(int u, int s, int r) const {
    return s > 0 ? cache.cells.at(u, schedule.number(r, s - 1)) : first_cells.at(u, r);
  }
  // What step s + 1 sent back through W_hh: a row of gate_pieces.
  BRICK_MEMBER const float* hidden_sums_gradient(int s, int r) const {
    if (args->layer_norm) return d_hidden_sums + 4 * static_cast<std::ptrdiff_t>(r) * args->H;
    return cache.gates.at(0, schedule.number(r, s + 1));
  }
};

// How a row of the gates' gradients lies in memory, as an operand of products: a panel of each block of
// units, or with layer normalisation whole.
BRICK Pieces gate_pieces(const Backward& run) {
  if (run.args->layer_norm) return {4 * run.args->H, 0};
  return {kPanelColumns, run.cache.gates.block};
}

// Rows of a [4H, K] matrix in the order of gate_pieces; null where a block is filled up.
static const float* const* gate_ordered_rows(const Backward& run, const float* matrix, int K) {
  const LstmArgs& args = *run.args;
  const int length = gate_row_length(args);
  const float** rows = run.context->arena->take<const float*>(length);
  for (int k = 0; k < length; k++) {
    const int unit = k / kPanelColumns * kWidth + k % kWidth, gate = k % kPanelColumns / kWidth;
    const std::ptrdiff_t row = args.layer_norm ? k : static_cast<std::ptrdiff_t>(gate) * args.H + unit;
    rows[k] = args.layer_norm || unit < args.H ? matrix + row * K : nullptr;
  }
  return rows;
}

// The gradient of h[s] of n units from column j on: from above (dy), from the next step (`recurrent`), from
// the final state. Returns that of ĥ; what zoneout passes by goes into the carry. With s = -1 the "step" is
// the initial state.
BRICK V gradient_of_output(const Backward& run, int s, int r, int j, V recurrent, int n) {
  const LstmArgs& args = *run.args;
  const std::ptrdiff_t state = static_cast<std::ptrdiff_t>(run.schedule.order[r]) * args.R() + j;
  V dh = recurrent;
  if (args.recurrent_mask != nullptr) dh = mul(dh, load(args.recurrent_mask + state, n));
  if (run.carry != nullptr) dh = add(dh, load(run.carry + static_cast<std::ptrdiff_t>(r) * args.R() + j, n));
  if (args.dhn != nullptr && s == run.schedule.length[r] - 1) dh = add(dh, load(args.dhn + state, n));
  if (s < 0) return dh;
  if (args.dy != nullptr) dh = add(dh, load(args.dy + output_offset(args, run.schedule, r, s) + j, n));
  if (run.carry != nullptr) {
    const float* mask = run.mask_row(args.zoneout_hidden, s, r, args.R());
    const V passed = mul(zoneout_at(args.zoneout_hidden, mask ? mask + j : nullptr, n), dh);
    store(run.carry + static_cast<std::ptrdiff_t>(r) * args.R() + j, passed, n);
    dh = sub(dh, passed);
  }
  return dh;
}

BRICK CellGradient cell_gradient(const Backward& run, int s, int r, int unit) {
  const LstmArgs& args = *run.args;
  const int u = unit / kWidth, number = run.schedule.number(r, s);
  const float* mask = run.mask_row(args.zoneout_cell, s, r, args.H);
  CellGradient cell;
  cell.gates = run.cache.gates.at(u, number);
  cell.gate_stride = run.cache.gate_stride;
  cell.lanes = run.lanes(unit);
  cell.c_previous = run.previous_cell(u, s, r);
  cell.peephole = args.weights.peephole ? args.weights.peephole + unit : nullptr;
  cell.peephole_stride = args.H;
  cell.zoneout_mask = mask ? mask + unit : nullptr;
  cell.dc = run.dc.at(u, r);
  cell.raw_cell = run.raw_cell.base ? run.raw_cell.at(u, number) : nullptr;
  return cell;
}

// From the gradient of o∘tanh(ĉ) to those of the sums, without layer normalisation.
template <typename Functions>
BRICK void squashed_backward(const Backward& run, const Functions& functions, int s, int r, int unit,
                             V d_squashed, int n) {
  const CellGradient cell = cell_gradient(run, s, r, unit);
  const CellActivations a = load_activations(functions, cell);
  const V t = functions.output(a.c);
  const V d_raw_cell = mul(mul(d_squashed, a.o), functions.output_slope(a.c, t));
  cell_backward(functions, cell, run.args->zoneout_cell, a, mul(d_squashed, t), d_raw_cell, n);
}

// The same for a whole row of another cell than the standard one, whose gradients of o∘f(ĉ) stand in `work`.
NOINLINE void varied_gradient_row(const Backward& run, int s, int r, const float* work) {
  const Varied functions = {run.args->variant};
  const int H = run.args->H;
  for (int unit = 0; unit < H; unit += kWidth) {
    squashed_backward(run, functions, s, r, unit, load(work + unit, H - unit), H - unit);
  }
}

// The gradient that step s + 1 sends to h[s], for R rows and one panel of columns; rows from `alive` on send
// none.
template <int R>
BRICK void recurrent_gradient(const Backward& run, int s, const RowBlock& block, int panel, Tile<R>& tile) {
  const LstmArgs& args = *run.args;
  const int K = gate_row_length(args);
  const int alive = s + 1 < run.schedule.steps ? run.schedule.active[s + 1] : 0;
  tile.clear();
  if (block.row[0] >= alive) return;
  const float* rows[R];
  for (int r = 0; r < R; r++)
    rows[r] = block.row[r] < alive ? run.hidden_sums_gradient(s, block.row[r]) : nullptr;
  // A dead row reads its neighbour's numbers and drops the result: one tile serves the whole block.
  for (int r = 1; r < R; r++) rows[r] = rows[r] ? rows[r] : rows[0];
  tile.multiply_pieces(rows, gate_pieces(run),
                       run.hidden_panels + static_cast<std::size_t>(panel) * kPanelColumns * K, K,
                       args.R() - panel * kPanelColumns);
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < 4; j++) tile.sum[r][j] = block.row[r] < alive ? tile.sum[r][j] : zero();
  }
}

// `whole`: what follows goes by whole rows, from the working rows.
enum class Stage { plain, projected, whole, initial };

// Step s of a block of rows: the gradient of h through one panel of columns and what follows from it.
template <int R>
static void gradient_tile(const Backward& run, Stage stage, int s, const RowBlock& block, int panel,
                          float* work) {
  const LstmArgs& args = *run.args;
  Tile<R> tile;
  recurrent_gradient<R>(run, s, block, panel, tile);
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < 4; j++) {
      const int column = panel * kPanelColumns + j * kWidth, n = args.R() - column;
      if (n <= 0) break;
      const V dh = gradient_of_output(run, s, block.row[r], column, tile.sum[r][j], n);
      if (stage == Stage::plain) {
        squashed_backward(run, Standard(), s, block.row[r], column, dh, n);
      } else if (stage == Stage::projected) {
        store(run.d_output + static_cast<std::ptrdiff_t>(run.schedule.number(block.row[r], s)) * args.P +
                  column,
              dh, n);
      } else if (stage == Stage::whole) {
        store(work + static_cast<std::ptrdiff_t>(r) * 2 * args.H + column, dh, n);
      } else {
        float* dh0 =
            args.dh0 + static_cast<std::ptrdiff_t>(run.schedule.order[block.row[r]]) * args.R() + column;
        store(dh0, add(load(dh0, n), dh), n);
      }
    }
  }
}

template <int R>
static void gradient_tile_of(const Backward& run, Stage stage, int s, const RowBlock& block, int panel,
                             float* work) {
  if (block.count == R) {
    gradient_tile<R>(run, stage, s, block, panel, work);
  } else if constexpr (R > 1) {
    gradient_tile_of<R - 1>(run, stage, s, block, panel, work);
  }
}

#include "normalized_backward.inl.h"
#include "projection_backward.inl.h"

static void backward_step(const Backward& run, const Share& mine, int s) {
  const LstmArgs& args = *run.args;
  const int active = run.schedule.active[s];
  if (args.P == 0 && !args.layer_norm && !args.varied) {
    for (int i = mine.panel0; i < mine.panel1; i++) {
      const int panel = (s & 1) == 0 ? i : mine.panel0 + mine.panel1 - 1 - i;
      for (RowBlocks rows(mine, active); rows.next();) {
        gradient_tile_of<kRows>(run, Stage::plain, s, rows.block, panel, nullptr);
      }
    }
    return;
  }
  // Whole rows in stages; these are shared out by rows, so that a thread meets nobody.
  float* work = run.rows + static_cast<std::size_t>(mine.index) * kRows * 2 * args.H;
  for (RowBlocks rows(mine, active); rows.next();) {
    const Stage stage = args.P > 0 ? Stage::projected : Stage::whole;
    for (int panel = 0; panel < panels_of(args.R()); panel++) {
      gradient_tile_of<kRows>(run, stage, s, rows.block, panel, work);
    }
    if (args.P > 0) {
      for (int panel = 0; panel < panels_of(args.H); panel++) {
        projection_gradient_tile_of<kRows>(run, s, rows.block, panel, work);
      }
    }
    for (int r = 0; r < rows.block.count && (args.layer_norm || args.varied); r++) {
      float* row_work = work + r * 2 * static_cast<std::ptrdiff_t>(args.H);
      if (!args.layer_norm) {
        varied_gradient_row(run, s, rows.block.row[r], row_work);
      } else if (args.varied) {
        normalized_gradient_row(run, Varied{args.variant}, s, rows.block.row[r], row_work);
      } else {
        normalized_gradient_row(run, Standard(), s, rows.block.row[r], row_work);
      }
    }
  }
}

static void backward_share(void* data, int index, int count) {
  Backward& run = *static_cast<Backward*>(data);
  const LstmArgs& args = *run.args;
  const bool by_units = run.by_units && count > 1;
  const Share mine = Share::of(by_units, 0, panels_of(args.R()), index, count);
  if (args.packed == nullptr) pack_backward(args, args.weights, run, index, count);
  const std::size_t H = args.H, R = args.R();
  for (int r = index; r < args.B; r += count) {
    const int b = run.schedule.order[r];
    scatter_units(run.dc, r, args.dcn ? args.dcn + b * H : nullptr, args.H);
    scatter_units(run.first_cells, r, args.c0 ? args.c0 + b * args.c_stride : nullptr, args.H);
    if (run.carry != nullptr) std::memset(run.carry + r * R, 0, sizeof(float) * R);
  }
  run.barrier.wait(count);
  for (int s = run.schedule.steps - 1; s >= 0; s--) {
    backward_step(run, mine, s);
    if (by_units) run.barrier.wait(count);
  }
  if (args.dh0 != nullptr) {
    for (int panel = mine.panel0; panel < mine.panel1; panel++) {
      for (RowBlocks rows(mine, args.B); rows.next();) {
        gradient_tile_of<kRows>(run, Stage::initial, -1, rows.block, panel, nullptr);
      }
    }
  }
  run.barrier.wait(count);
  if (args.dc0 != nullptr) {
    for (int r = index; r < args.B; r += count) {
      float* dc0 = args.dc0 + static_cast<std::size_t>(run.schedule.order[r]) * H;
      for (std::size_t j = 0; j < H; j++) dc0[j] += run.dc.at(static_cast<int>(j / kWidth), r)[j % kWidth];
    }
  }
}

#include "parameter_gradients.inl.h"

static void prepare_backward(const Context& context, const LstmArgs& args, int threads, Backward& run) {
  Arena& arena = *context.arena;
  const std::size_t B = args.B, H = args.H, R = args.R();
  run.context = &context;
  run.args = &args;
  run.schedule = make_schedule(context, args);
  run.cache = cache_sections(args, args.cache);
  run.by_units = !args.varied && share_by_units(context, args, threads);  // whole rows again
  const std::size_t N = run.schedule.rows(), padded = padded_units(args.H);
  // What was packed beforehand is read, never written. What is packed here leaves W_ih to the product that
  // reads it once.
  const LstmPass pass =
      args.packed != nullptr && args.dx != nullptr ? LstmPass::backward_to_input : LstmPass::backward;
  float* packed = const_cast<float*>(args.packed);
  if (packed == nullptr) packed = arena.take<float>(lstm_packed_length(args, pass));
  backward_sections(args, pass, packed, &run);
  run.dc = UnitRows::blocks(arena.take<float>(B * padded), B, 1);
  run.first_cells = UnitRows::blocks(arena.take<float>(B * padded), B, 1);
  if (args.zoneout_hidden.any()) run.carry = arena.take<float>(B * R);
  if (args.P > 0) run.d_output = arena.take<float>(N * args.P);
  if (args.dweights.peephole != nullptr) {
    run.raw_cell = UnitRows::blocks(arena.take<float>(N * padded), N, 1);
  }
  if (args.layer_norm) {
    run.d_hidden_sums = arena.take<float>(B * 4 * H);
    run.d_normalized = arena.take<float>(N * H);
    run.cell_hat = arena.take<float>(N * H);
  }
  if (args.layer_norm || args.varied || args.P > 0) run.rows = arena.take<float>(threads * kRows * 2 * H);
  run.zeros = arena.take<float>(R);
  std::memset(run.zeros, 0, sizeof(float) * R);
}

// The time loops of a pair run at once; what follows them adds to gradients that the two may share, and goes
// in order.
static void lstm_backward(const Context& context, const LstmArgs* directions, int count) {
  for (int d = 0; d < count; d += 2) {
    PairRun<Backward> pair = {};
    pair.count = count - d < 2 ? 1 : 2;
    const int threads = threads_for(context, directions + d, pair.count);
    for (int i = 0; i < pair.count; i++) {
      prepare_backward(context, directions[d + i], threads_of_one(threads, pair.count), pair.runs[i]);
    }
    context.pool->run(threads, pair_share<Backward, backward_share>, &pair);
    for (int i = 0; i < pair.count; i++) parameter_gradients(pair.runs[i]);
  }
}

}  // namespace lstm_native::LSTM_TARGET
