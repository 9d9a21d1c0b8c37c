// What forward and backward share: which sequences are alive at which step, where their rows lie, and how the
// work is shared out.
//
// Sequences are ordered from the longest to the shortest, so that those alive at step s are rows [0,
// active[s]) and padding costs nothing. Row r at step s is number first[s] + r of the packed arrays (gates,
// cells, ...).
#pragma once

namespace lstm_native::LSTM_TARGET {

struct Schedule {
  int B, steps;
  const int* order;   // [B] the sequence that row r holds
  const int* length;  // [B] its length
  const int* active;  // [steps] rows alive at step s
  const int* first;   // [steps + 1] number of (s, 0)
  bool reverse;

  BRICK_MEMBER int time(int r, int s) const { return reverse ? length[r] - 1 - s : s; }
  BRICK_MEMBER int number(int r, int s) const { return first[s] + r; }
  BRICK_MEMBER int rows() const { return first[steps]; }
};

static Schedule make_schedule(const Context& context, const LstmArgs& args) {
  const int B = args.B, T = args.T;
  int* order = context.arena->take<int>(B);
  int* length = context.arena->take<int>(B);
  int* active = context.arena->take<int>(T);
  int* first = context.arena->take<int>(T + 1);
  // Counting sort, stable: equal lengths keep the order of the batch.
  int* start = context.arena->take<int>(T + 2);
  std::memset(start, 0, sizeof(int) * (T + 2));
  for (int b = 0; b < B; b++) start[T - (args.lengths ? args.lengths[b] : T) + 1]++;
  for (int i = 0; i <= T; i++) start[i + 1] += start[i];
  for (int b = 0; b < B; b++) {
    const int n = args.lengths ? args.lengths[b] : T;
    const int r = start[T - n]++;
    order[r] = b;
    length[r] = n;
  }
  const int steps = B > 0 ? length[0] : 0;
  int alive = B;
  first[0] = 0;
  for (int s = 0; s < steps; s++) {
    while (length[alive - 1] <= s) alive--;
    active[s] = alive;
    first[s + 1] = first[s] + alive;
  }
  return {B, steps, order, length, active, first, args.reverse};
}

// A matrix with a row for every sequence, or for every (sequence, step), kept block of units by block of
// units. What a tile reads and writes, a few rows of one block, then lies together, and all rows of a block
// are a panel for the products that sum over them. The last block is filled up with zeros to whole vectors.
struct UnitRows {
  float* base;
  std::ptrdiff_t block, row;  // from a block to the next, from a row to the next

  BRICK_MEMBER float* at(int u, std::ptrdiff_t n) const { return base + u * block + n * row; }
  // N rows of `vectors` vectors.
  static BRICK_MEMBER UnitRows blocks(float* base, std::size_t N, int vectors) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(vectors) * kWidth;
    return {base, static_cast<std::ptrdiff_t>(N) * row, row};
  }
};

BRICK std::size_t padded_units(int H) { return static_cast<std::size_t>(unit_blocks(H)) * kWidth; }

// Copies a row of H floats into its blocks; null stands for zeros.
static void scatter_units(const UnitRows& rows, std::ptrdiff_t n, const float* from, int H) {
  for (int u = 0; u < unit_blocks(H); u++) {
    const int unit = u * kWidth;
    store(rows.at(u, n), from != nullptr ? load(from + unit, H - unit) : zero());
  }
}

static void gather_units(const UnitRows& rows, std::ptrdiff_t n, float* to, int H) {
  for (int u = 0; u < unit_blocks(H); u++) {
    const int unit = u * kWidth;
    store(to + unit, load(rows.at(u, n)), H - unit);
  }
}

// The sections of the cache, each with a row for every (sequence, step).
struct Cache {
  // Activations i, f, g, o; after the backward pass the gradients of the gates' sums. Blocks of
  // [N][4][kWidth]; with layer normalisation, whose statistics run along whole rows, [N][4H].
  UnitRows gates;
  std::ptrdiff_t gate_stride;  // from a unit's gate to its next
  UnitRows cells;              // blocks of [N][kWidth]: c[t]
  float* squashed;             // [N][H] o∘tanh(..), what a projection multiplies
  float* input_hat;            // [N][4H] normalised x·W_ihᵀ; later the gradient of x·W_ihᵀ
  float* hidden_hat;           // [N][4H] normalised h·W_hhᵀ; likewise
  float* statistics;           // [N][4] 1/deviation of both, mean and 1/deviation of the cell
};

static std::size_t cache_floats_per_row(const LstmShape& shape) {
  std::size_t floats = 5 * padded_units(shape.H);
  if (shape.P > 0) floats += shape.H;
  if (shape.layer_norm) floats += 8 * static_cast<std::size_t>(shape.H) + 4;
  return floats;
}

static std::size_t lstm_cache_length(const LstmShape& shape) {
  return cache_floats_per_row(shape) * shape.B * shape.T;
}

static Cache cache_sections(const LstmShape& shape, float* memory) {
  const std::size_t N = static_cast<std::size_t>(shape.B) * shape.T, H = shape.H;
  const std::size_t padded = padded_units(shape.H);
  Cache cache = {};
  cache.gates = UnitRows::blocks(memory, N, 4);
  cache.gate_stride = kWidth;
  if (shape.layer_norm) {
    cache.gates = {memory, kWidth, static_cast<std::ptrdiff_t>(4 * H)};
    cache.gate_stride = static_cast<std::ptrdiff_t>(H);
  }
  cache.cells = UnitRows::blocks(memory + 4 * N * padded, N, 1);
  memory += 5 * N * padded;
  if (shape.P > 0) {
    cache.squashed = memory;
    memory += N * H;
  }
  if (shape.layer_norm) {
    cache.input_hat = memory;
    cache.hidden_hat = memory + 4 * N * H;
    cache.statistics = memory + 8 * N * H;
  }
  return cache;
}

// A leading dimension for rows of n floats that keeps rows in lines of their own and out of each other's
// cache sets: rows a multiple of 256 bytes apart would meet in a few sets of L1.
BRICK std::ptrdiff_t row_stride(int n) {
  const std::ptrdiff_t lines = (n + 15) / 16;
  return (lines % 4 == 0 ? lines + 1 : lines) * 16;
}

// How a call is shared out. By rows: each thread takes every count-th sequence through all steps and meets
// nobody; since rows are ordered by length, all have about the same to do. By units: each thread keeps its
// slice of the weights in its own cache, and all meet after each step to exchange h.
struct Share {
  bool by_units;
  int index, count;
  int unit0, unit1;    // blocks of kWidth units
  int panel0, panel1;  // panels of kPanelColumns
  int row0, row_step;  // rows row0, row0 + row_step, ...

  static BRICK_MEMBER Share of(bool by_units, int unit_count, int panel_count, int index, int count) {
    Share s = {by_units, index, count, 0, unit_count, 0, panel_count, 0, 1};
    if (by_units) {
      share(unit_count, index, count, &s.unit0, &s.unit1);
      share(panel_count, index, count, &s.panel0, &s.panel1);
    } else {
      s.row0 = index;
      s.row_step = count;
    }
    return s;
  }
};

// Up to kRows rows that go through a tile together.
struct RowBlock {
  int count;
  int row[kRows];
};

// A thread's rows of the first `active`, in as few blocks as possible and these as even as possible.
struct RowBlocks {
  RowBlock block;

  BRICK_MEMBER RowBlocks(const Share& share, int active) : share_(share) {
    rows_ = active > share.row0 ? (active - share.row0 + share.row_step - 1) / share.row_step : 0;
    blocks_ = (rows_ + kRows - 1) / kRows;
  }

  BRICK_MEMBER bool next() {
    if (index_ == blocks_) return false;
    const int first = rows_ * index_ / blocks_;
    index_++;
    block.count = rows_ * index_ / blocks_ - first;
    for (int r = 0; r < block.count; r++) block.row[r] = share_.row0 + (first + r) * share_.row_step;
    return true;
  }

 private:
  const Share& share_;
  int rows_, blocks_, index_ = 0;
};

BRICK const float* input_row(const LstmArgs& args, const Schedule& schedule, int r, int s) {
  const int b = schedule.order[r];
  const std::ptrdiff_t first = args.offsets ? args.offsets[b] * args.x_time_stride : b * args.x_batch_stride;
  return args.x + first + schedule.time(r, s) * args.x_time_stride;
}

BRICK std::ptrdiff_t output_offset(const LstmArgs& args, const Schedule& schedule, int r, int s) {
  const int b = schedule.order[r];
  const std::ptrdiff_t first = args.offsets ? args.offsets[b] * args.y_time_stride : b * args.y_batch_stride;
  return first + schedule.time(r, s) * args.y_time_stride;
}

// What both passes know of the window they run over, and the rows both read.
struct Window {
  const LstmArgs* args;
  Schedule schedule;
  Cache cache;
  UnitRows first_cells;  // [B] what the cells start from
  float* zeros;          // [R], the h that is not given

  BRICK_MEMBER const float* previous_output_row(int s, int r) const {
    if (s > 0) return args->y + output_offset(*args, schedule, r, s - 1);
    return args->h0 ? args->h0 + schedule.order[r] * args->h_stride : zeros;
  }
  // How many lanes of a vector of gates or cells there are in memory.
  BRICK_MEMBER int lanes(int unit) const { return args->layer_norm ? args->H - unit : kWidth; }
  // Row (b, t) of a [B, T, width] mask.
  BRICK_MEMBER const float* mask_row(const Zoneout& zoneout, int s, int r, int width) const {
    if (zoneout.mask == nullptr) return nullptr;
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(schedule.order[r]) * args->T + schedule.time(r, s);
    return zoneout.mask + row * width;
  }
};

}  // namespace lstm_native::LSTM_TARGET
