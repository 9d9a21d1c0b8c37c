// The way back through a projection. Part of backward.h.

// The gradient of a projection's operand, o∘tanh(..), through one panel of units.
template <int R>
static void projection_gradient_tile(const Backward& run, int s, const RowBlock& block, int panel,
                                     float* work) {
  const LstmArgs& args = *run.args;
  const float* rows[R];
  for (int r = 0; r < R; r++) {
    rows[r] = run.d_output + static_cast<std::ptrdiff_t>(run.schedule.number(block.row[r], s)) * args.P;
  }
  Tile<R> tile;
  tile.clear();
  tile.multiply(RowsOfA{rows},
                run.projection_panels + static_cast<std::size_t>(panel) * kPanelColumns * args.P, args.P);
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < 4; j++) {
      const int unit = panel * kPanelColumns + j * kWidth, n = args.H - unit;
      if (n <= 0) break;
      if (args.layer_norm || args.varied) {
        store(work + static_cast<std::ptrdiff_t>(r) * 2 * args.H + unit, tile.sum[r][j], n);
      } else {
        squashed_backward(run, Standard(), s, block.row[r], unit, tile.sum[r][j], n);
      }
    }
  }
}

template <int R>
static void projection_gradient_tile_of(const Backward& run, int s, const RowBlock& block, int panel,
                                        float* work) {
  if (block.count == R) {
    projection_gradient_tile<R>(run, s, block, panel, work);
  } else if constexpr (R > 1) {
    projection_gradient_tile_of<R - 1>(run, s, block, panel, work);
  }
}
