// h = W_hr·(o∘tanh(..)) of a step, for the LSTM with a projection. Part of forward.h.

template <int R>
static void projection_tile(const Forward& run, int s, const RowBlock& block, int panel) {
  const LstmArgs& args = *run.args;
  const int first = panel * kPanelColumns;
  const float* rows[R];
  for (int r = 0; r < R; r++) rows[r] = run.squashed_row(s, block.row[r]);
  Tile<R> tile;
  tile.clear();
  tile.multiply(RowsOfA{rows}, run.weights.projection + static_cast<std::size_t>(first) * args.H, args.H);
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < 4; j++) {
      const int column = first + j * kWidth;
      if (column < args.P) output_units(run, s, block.row[r], column, tile.sum[r][j], args.P - column);
    }
  }
}

template <int R>
static void projection_tile_of(const Forward& run, int s, const RowBlock& block, int panel) {
  if (block.count == R) {
    projection_tile<R>(run, s, block, panel);
  } else if constexpr (R > 1) {
    projection_tile_of<R - 1>(run, s, block, panel);
  }
}

static void projection_step(const Forward& run, const Share& mine, int s) {
  const int active = run.schedule.active[s];
  for (int panel = 0; panel < panels_of(run.args->P); panel++) {
    for (RowBlocks rows(mine, active); rows.next();) {
      projection_tile_of<kRows>(run, s, rows.block, panel);
    }
  }
}
