// What is left when the time loop has run: gradients of weights, biases and input, over all steps at once.
// Sums over rows are shared out by columns, so that their order does not depend on the threads. Part of
// backward.h.

static void normalization_gains(const Backward& run) {
  const LstmArgs& args = *run.args;
  const Context& context = *run.context;
  const int N = run.schedule.rows(), H = args.H, G = 4 * H;
  float* d_cell = args.dweights.norm_cell;
  column_sums(context, {N, G, run.cache.gates, G, run.cache.input_hat, G, nullptr, args.dweights.norm_ih});
  column_sums(context, {N, G, run.cache.gates, G, run.cache.hidden_hat, G, nullptr, args.dweights.norm_hh});
  column_sums(context, {N, H, run.d_normalized, H, run.cell_hat, H, nullptr, d_cell});
  column_sums(context, {N, H, run.d_normalized, H, nullptr, 0, nullptr, d_cell ? d_cell + H : nullptr});
  for (int n = 0; n < N; n++) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(n) * G;
    const float* statistics = run.cache.statistics + 4 * static_cast<std::ptrdiff_t>(n);
    float* input_hat = run.cache.input_hat + row;
    float* hidden_hat = run.cache.hidden_hat + row;
    normalization_gradient(run.cache.gates + row, args.weights.norm_ih, input_hat, statistics[0], G,
                           input_hat);
    normalization_gradient(run.cache.gates + row, args.weights.norm_hh, hidden_hat, statistics[1], G,
                           hidden_hat);
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

static void peephole_gradient(const Backward& run) {
  const LstmArgs& args = *run.args;
  const int N = run.schedule.rows(), H = args.H, G = 4 * H;
  const float** previous = run.context->arena->take<const float*>(N);
  for (int s = 0; s < run.schedule.steps; s++) {
    for (int r = 0; r < run.schedule.active[s]; r++)
      previous[run.schedule.number(r, s)] = run.previous_cell_row(s, r);
  }
  float* d_peephole = args.dweights.peephole;
  const float* d_sums = run.cache.gates;
  column_sums(*run.context, {N, H, d_sums, G, nullptr, 0, previous, d_peephole});
  column_sums(*run.context, {N, H, d_sums + H, G, nullptr, 0, previous, d_peephole + H});
  column_sums(*run.context, {N, H, d_sums + 3 * H, G, run.raw_cell, H, nullptr, d_peephole + 2 * H});
}

// Both biases have the same gradient.
static void bias_gradients(const Backward& run) {
  const LstmArgs& args = *run.args;
  const int N = run.schedule.rows(), G = 4 * args.H;
  if (args.dweights.bias_ih == nullptr && args.dweights.bias_hh == nullptr) return;
  float* sums = run.context->arena->take<float>(G);
  std::memset(sums, 0, sizeof(float) * G);
  column_sums(*run.context, {N, G, run.cache.gates, G, nullptr, 0, nullptr, sums});
  float* const biases[] = {args.dweights.bias_ih, args.dweights.bias_hh};
  for (float* bias : biases) {
    for (int j = 0; bias != nullptr && j < G; j++) bias[j] += sums[j];
  }
}

static void parameter_gradients(const Backward& run) {
  const LstmArgs& args = *run.args;
  const Context& context = *run.context;
  const int N = run.schedule.rows(), H = args.H, G = 4 * H;
  if (N == 0) return;
  bias_gradients(run);
  if (args.dweights.peephole != nullptr) peephole_gradient(run);
  const float* d_input_sums = run.cache.gates;
  const float* d_hidden_sums = run.cache.gates;
  if (args.layer_norm) {
    normalization_gains(run);
    d_input_sums = run.cache.input_hat;
    d_hidden_sums = run.cache.hidden_hat;
  }
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
  weight_gradient(context, G, args.I, N, d_input_sums, inputs, args.dweights.weight_ih);
  weight_gradient(context, G, args.R(), N, d_hidden_sums, previous_hidden_rows(run), args.dweights.weight_hh);
  if (args.P > 0) weight_gradient(context, args.P, H, N, run.d_output, squashed, args.dweights.weight_hr);
  if (d_inputs == nullptr) return;
  const float* const* d_rows = row_pointers(context, d_input_sums, G, N);
  if (args.I <= kThin) return thin_product(context, N, args.I, G, d_rows, args.weights.weight_ih, d_inputs);
  Product p = {};
  p.M = N;
  p.N = args.I;
  p.K = G;
  p.a_rows = d_rows;
  p.b_packed = run.input_panels;
  if (p.b_packed == nullptr) p.b_rows = row_pointers(context, args.weights.weight_ih, args.I, G);
  p.c_rows = d_inputs;
  p.accumulate = true;
  multiply(context, p);
}
