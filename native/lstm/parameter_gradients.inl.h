// What is left when the time loop has run: gradients of weights, biases and input, over all steps at once.
// Sums over rows are shared out by columns, so that their order does not depend on the threads. Part of
// backward.h.

BRICK void add_units(float* to, V sum, int n) { store(to, add(load(to, n), sum), n); }

static void normalization_gains(const Backward& run) {
  const LstmArgs& args = *run.args;
  const Context& context = *run.context;
  const int N = run.schedule.rows(), H = args.H, G = 4 * H;
  float* d_cell = args.dweights.norm_cell;
  const float* d_sums = run.cache.gates.base;
  column_sums(context, {N, G, d_sums, G, run.cache.input_hat, G, nullptr, args.dweights.norm_ih});
  column_sums(context, {N, G, d_sums, G, run.cache.hidden_hat, G, nullptr, args.dweights.norm_hh});
  column_sums(context, {N, H, run.d_normalized, H, run.cell_hat, H, nullptr, d_cell});
  column_sums(context, {N, H, run.d_normalized, H, nullptr, 0, nullptr, d_cell ? d_cell + H : nullptr});
  for (int n = 0; n < N; n++) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(n) * G;
    const float* statistics = run.cache.statistics + 4 * static_cast<std::ptrdiff_t>(n);
    float* input_hat = run.cache.input_hat + row;
    float* hidden_hat = run.cache.hidden_hat + row;
    normalization_gradient(d_sums + row, args.weights.norm_ih, input_hat, statistics[0], G, input_hat);
    normalization_gradient(d_sums + row, args.weights.norm_hh, hidden_hat, statistics[1], G, hidden_hat);
  }
}

// h[t-1] as it met W_hh: masked copies under recurrent dropout.
static const float* const* previous_hidden_rows(const Backward& run) {
  const LstmArgs& args = *run.args;
  const std::ptrdiff_t R = args.R();
  const int N = run.schedule.rows();
  const float** rows = run.context->arena->take<const float*>(N);
  float* masked = args.recurrent_mask ? run.context->arena->take<float>(N * R) : nullptr;
  for (int s = 0; s < run.schedule.steps; s++) {
    for (int r = 0; r < run.schedule.active[s]; r++) {
      const std::ptrdiff_t number = run.schedule.number(r, s);
      rows[number] = run.previous_output_row(s, r);
      if (masked == nullptr) continue;
      const float* mask = args.recurrent_mask + run.schedule.order[r] * R;
      for (int j = 0; j < R; j++) masked[number * R + j] = rows[number][j] * mask[j];
      rows[number] = masked + number * R;
    }
  }
  return rows;
}

// Biases and peepholes: sums over all rows of one block of units at a time. Both biases have the same
// gradient.
static void unit_gradients_share(void* data, int index, int count) {
  const Backward& run = *static_cast<const Backward*>(data);
  const LstmArgs& args = *run.args;
  const LstmWeights<float>& d = args.dweights;
  const std::ptrdiff_t gate = run.cache.gate_stride, H = args.H;
  int first, last;
  share(unit_blocks(args.H), index, count, &first, &last);
  for (int u = first; u < last; u++) {
    const int unit = u * kWidth, lanes = run.lanes(unit), n = args.H - unit;
    for (int s0 = 0; s0 < run.schedule.steps;) {
      V bias[4] = {zero(), zero(), zero(), zero()}, peephole[3] = {zero(), zero(), zero()};
      // Chunks of some kChunk rows keep the rounding small.
      int rows = 0, s = s0;
      for (; s < run.schedule.steps && rows < kChunk; rows += run.schedule.active[s++]) {
        for (int r = 0; r < run.schedule.active[s]; r++) {
          const int number = run.schedule.number(r, s);
          V d_sum[4];
          for (int j = 0; j < 4; j++) {
            d_sum[j] = load(run.cache.gates.at(u, number) + j * gate, lanes);
            bias[j] = add(bias[j], d_sum[j]);
          }
          if (d.peephole == nullptr) continue;
          const V c_previous = load(run.previous_cell(u, s, r), lanes);
          peephole[0] = fma(d_sum[0], c_previous, peephole[0]);
          peephole[1] = fma(d_sum[1], c_previous, peephole[1]);
          peephole[2] = fma(d_sum[3], load(run.raw_cell.at(u, number), lanes), peephole[2]);
        }
      }
      s0 = s;
      for (int j = 0; j < 4; j++) {
        if (d.bias_ih != nullptr) add_units(d.bias_ih + j * H + unit, bias[j], n);
        if (d.bias_hh != nullptr) add_units(d.bias_hh + j * H + unit, bias[j], n);
      }
      for (int j = 0; d.peephole != nullptr && j < 3; j++)
        add_units(d.peephole + j * H + unit, peephole[j], n);
    }
  }
}

static void unit_gradients(const Backward& run) {
  const LstmWeights<float>& d = run.args->dweights;
  if (d.bias_ih == nullptr && d.bias_hh == nullptr && d.peephole == nullptr) return;
  const double work = 16.0 * run.schedule.rows() * run.args->H;
  run.context->pool->run(useful_threads(*run.context, work), unit_gradients_share,
                         const_cast<Backward*>(&run));
}

// A weight's gradient, where the gates' gradients lie in blocks of units.
static void block_weight_gradient(const Backward& run, int K, const float* const* rows, float* dweight) {
  if (dweight == nullptr) return;
  const LstmArgs& args = *run.args;
  PanelGradient p = {};
  p.N = run.schedule.rows();
  p.K = K;
  p.rows = rows;
  p.panels = run.cache.gates.base;
  p.panel_stride = run.cache.gates.block;
  p.panel_count = unit_blocks(args.H);
  p.H = args.H;
  p.dweight = dweight;
  panel_gradient(*run.context, p);
}

static void input_gradient(const Backward& run, const float* const* d_sums, Pieces pieces,
                           float* const* d_inputs) {
  const LstmArgs& args = *run.args;
  const Context& context = *run.context;
  const int N = run.schedule.rows(), K = gate_row_length(args);
  if (args.I <= kThin) {
    return thin_product(context, N, args.I, K, d_sums, pieces,
                        gate_ordered_rows(run, args.weights.weight_ih, args.I), d_inputs);
  }
  Product p = {};
  p.M = N;
  p.N = args.I;
  p.K = K;
  p.a_rows = d_sums;
  if (pieces.length < K) p.a_pieces = pieces;
  p.b_packed = run.input_panels;
  if (p.b_packed == nullptr) p.b_rows = gate_ordered_rows(run, args.weights.weight_ih, args.I);
  p.c_rows = d_inputs;
  p.accumulate = true;
  multiply(context, p);
}

static void parameter_gradients(const Backward& run) {
  const LstmArgs& args = *run.args;
  const Context& context = *run.context;
  const int N = run.schedule.rows(), H = args.H, G = 4 * H;
  if (N == 0) return;
  unit_gradients(run);
  const float** inputs = context.arena->take<const float*>(N);
  float** d_inputs = args.dx ? context.arena->take<float*>(N) : nullptr;
  const float** squashed = context.arena->take<const float*>(N);
  for (int s = 0; s < run.schedule.steps; s++) {
    for (int r = 0; r < run.schedule.active[s]; r++) {
      const std::ptrdiff_t number = run.schedule.number(r, s);
      inputs[number] = input_row(args, run.schedule, r, s);
      if (d_inputs != nullptr) d_inputs[number] = args.dx + (inputs[number] - args.x);
      if (args.P > 0) squashed[number] = run.cache.squashed + number * H;
    }
  }
  if (args.P > 0) weight_gradient(context, args.P, H, N, run.d_output, squashed, args.dweights.weight_hr);
  const float* const* outputs = previous_hidden_rows(run);
  if (args.layer_norm) {
    normalization_gains(run);
    weight_gradient(context, G, args.I, N, run.cache.input_hat, inputs, args.dweights.weight_ih);
    weight_gradient(context, G, args.R(), N, run.cache.hidden_hat, outputs, args.dweights.weight_hh);
    if (d_inputs == nullptr) return;
    return input_gradient(run, row_pointers(context, run.cache.input_hat, G, N), {G, 0}, d_inputs);
  }
  block_weight_gradient(run, args.I, inputs, args.dweights.weight_ih);
  block_weight_gradient(run, args.R(), outputs, args.dweights.weight_hh);
  if (d_inputs == nullptr) return;
  input_gradient(run, row_pointers(context, run.cache.gates.base, run.cache.gates.row, N), gate_pieces(run),
                 d_inputs);
}
