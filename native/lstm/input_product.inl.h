// x·W_ihᵀ of a chunk of steps, ahead of them. Part of forward.h.

// Rows of an input product: any steps, since none waits for another.
struct InputBlock {
  int count;
  int row[kRows], step[kRows];
};

// The input's share of the sums: bias + x·W_ihᵀ, or with layer normalisation x·W_ihᵀ alone.
template <int R>
static void input_tile(const Forward& run, const InputBlock& block, int u) {
  const LstmArgs& args = *run.args;
  const int unit = u * kWidth;
  const float* rows[R];
  float* out[R];
  for (int r = 0; r < R; r++) {
    rows[r] = input_row(args, run.schedule, block.row[r], block.step[r]);
    out[r] = args.layer_norm ? run.input_row_sums(block.step[r], block.row[r]) + unit
                             : run.sums_of(u, block.step[r], block.row[r]);
  }
  Tile<R> tile;
  if (args.layer_norm) {
    tile.clear();
  } else {
    tile.start(run.weights.bias + u * kPanelColumns);
  }
  tile.multiply(RowsOfA{rows}, run.weights.input + static_cast<std::size_t>(u) * args.I * kPanelColumns,
                args.I);
  tile.store_rows(
      out, args.layer_norm ? gate_columns(args.H - unit, args.H) : neighbouring_columns(kPanelColumns));
}

template <int R>
static void input_tile_of(const Forward& run, const InputBlock& block, int u) {
  if (block.count == R) {
    input_tile<R>(run, block, u);
  } else if constexpr (R > 1) {
    input_tile_of<R - 1>(run, block, u);
  }
}

static void input_product(const Forward& run, const Share& mine, int s0, int s1) {
  for (int u = mine.unit0; u < mine.unit1; u++) {
    InputBlock block = {};
    for (int s = s0; s < s1; s++) {
      for (int r = mine.row0; r < run.schedule.active[s]; r += mine.row_step) {
        block.row[block.count] = r;
        block.step[block.count] = s;
        if (++block.count < kRows) continue;
        input_tile<kRows>(run, block, u);
        block.count = 0;
      }
    }
    input_tile_of<kRows>(run, block, u);
  }
}
