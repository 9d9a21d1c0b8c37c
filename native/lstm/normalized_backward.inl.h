// The way back through layer normalisation, row by row. Part of backward.h.

// `work` [2H] holds the gradient of o∘tanh(LN(ĉ)) in its first half.
template <typename Functions>
static void normalized_gradient_row(const Backward& run, const Functions& functions, int s, int r,
                                    float* work) {
  const LstmArgs& args = *run.args;
  const int H = args.H;
  const std::ptrdiff_t number = run.schedule.number(r, s);
  const float* statistics = run.cache.statistics + 4 * number;
  const V mean = set(statistics[2]), rstd = set(statistics[3]);
  float* d_squashed = work;
  float* d_raw_cell = work + H;
  float* d_normalized = run.d_normalized + number * H;
  float* cell_hat = run.cell_hat + number * H;
  for (int unit = 0; unit < H; unit += kWidth) {
    const int n = H - unit;
    const CellActivations a = load_activations(functions, cell_gradient(run, s, r, unit));
    const V hat = mul(sub(a.c, mean), rstd);
    const V normalized =
        fma(load(args.weights.norm_cell + unit, n), hat, load(args.weights.norm_cell + H + unit, n));
    const V t = functions.output(normalized);
    const V d = load(d_squashed + unit, n);
    store(cell_hat + unit, hat, n);
    store(d_normalized + unit, mul(mul(d, a.o), functions.output_slope(normalized, t)), n);
    store(d_squashed + unit, mul(d, t), n);  // now the gradient of the output gate's activation
  }
  normalization_gradient(d_normalized, args.weights.norm_cell, cell_hat, statistics[3], H, d_raw_cell);
  for (int unit = 0; unit < H; unit += kWidth) {
    const int n = H - unit;
    const CellGradient cell = cell_gradient(run, s, r, unit);
    const CellActivations a = load_activations(functions, cell);
    cell_backward(functions, cell, args.zoneout_cell, a, load(d_squashed + unit, n),
                  load(d_raw_cell + unit, n), n);
  }
  normalization_gradient(run.cache.gates.at(0, number), args.weights.norm_hh,
                         run.cache.hidden_hat + 4 * number * H, statistics[1], 4 * H,
                         run.d_hidden_sums + 4 * static_cast<std::ptrdiff_t>(r) * H);
}
