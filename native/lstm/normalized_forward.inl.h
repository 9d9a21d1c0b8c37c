// The step with layer normalisation, which needs whole rows: raw sums of h·W_hhᵀ of a block of rows, then row
// by row their statistics, the gates, the statistics of the cell, the output. Part of forward.h.

template <typename Functions>
static void normalized_row(const Forward& run, const Functions& functions, int s, int r, float* hidden_hat,
                           float* work) {
  const LstmArgs& args = *run.args;
  const int H = args.H, G = 4 * H;
  float* input_hat = run.input_row_sums(s, r);
  const float input_rstd = normalize_row(input_hat, G, args.eps);
  const float hidden_rstd = normalize_row(hidden_hat, G, args.eps);
  float* sums = work;
  float* raw_cell = work + G;
  float* output_gate = work + G + H;
  for (int j = 0; j < G; j += kWidth) {
    const int n = G - j;
    V sum = load(run.weights.flat_bias + j, n);
    sum = fma(load(run.weights.norm_ih + j, n), load(input_hat + j, n), sum);
    sum = fma(load(run.weights.norm_hh + j, n), load(hidden_hat + j, n), sum);
    store(sums + j, sum, n);
  }
  for (int u = 0; u < unit_blocks(H); u++) {
    const int unit = u * kWidth;
    V c, o;
    finish_units(run, functions, s, r, u, sums + unit, H, &c, &o);
    store(raw_cell + unit, c, H - unit);
    store(output_gate + unit, o, H - unit);
  }
  const RowStatistics cell = row_statistics(raw_cell, H, args.eps);
  if (args.cache != nullptr) {
    float* statistics = run.cache.statistics + 4 * static_cast<std::ptrdiff_t>(run.schedule.number(r, s));
    statistics[0] = input_rstd;
    statistics[1] = hidden_rstd;
    statistics[2] = cell.mean;
    statistics[3] = cell.rstd;
  }
  for (int unit = 0; unit < H; unit += kWidth) {
    const int n = H - unit;
    const V hat = mul(sub(load(raw_cell + unit, n), set(cell.mean)), set(cell.rstd));
    const V normalized =
        fma(load(run.weights.norm_cell + unit, n), hat, load(run.weights.norm_cell + H + unit, n));
    emit_units(run, functions, s, r, unit, load(output_gate + unit, n), normalized, n);
  }
}

template <int R>
static void normalized_block(const Forward& run, int s, const RowBlock& block, float* work) {
  const LstmArgs& args = *run.args;
  const std::ptrdiff_t H = args.H;
  const float* rows[R];
  float* hidden_hat[R];
  for (int r = 0; r < R; r++) {
    rows[r] = run.hidden_row(s, block.row[r]);
    hidden_hat[r] = args.cache == nullptr
                        ? work + r * 10 * H + 6 * H
                        : run.cache.hidden_hat + 4 * H * run.schedule.number(block.row[r], s);
  }
  for (int u = 0; u < unit_blocks(args.H); u++) {
    float* out[R];
    for (int r = 0; r < R; r++) out[r] = hidden_hat[r] + u * kWidth;
    Tile<R> tile;
    tile.clear();
    tile.multiply(RowsOfA{rows}, run.weights.hidden + static_cast<std::size_t>(u) * args.R() * kPanelColumns,
                  args.R());
    tile.store_rows(out, gate_columns(args.H - u * kWidth, H));
  }
  for (int r = 0; r < R; r++) {
    float* row_work = work + r * 10 * H;
    if (args.varied) {
      normalized_row(run, Varied{args.variant}, s, block.row[r], hidden_hat[r], row_work);
    } else {
      normalized_row(run, Standard(), s, block.row[r], hidden_hat[r], row_work);
    }
  }
}

template <int R>
static void normalized_block_of(const Forward& run, int s, const RowBlock& block, float* work) {
  if (block.count == R) {
    normalized_block<R>(run, s, block, work);
  } else if constexpr (R > 1) {
    normalized_block_of<R - 1>(run, s, block, work);
  }
}

static void normalized_step(const Forward& run, const Share& mine, int s) {
  const int active = run.schedule.active[s];
  float* work = run.rows + static_cast<std::size_t>(mine.index) * kRows * 10 * run.args->H;
  for (RowBlocks rows(mine, active); rows.next();) {
    normalized_block_of<kRows>(run, s, rows.block, work);
  }
}
