// What happens to a unit between its gates' sums and its new state, and the way back. Equations in
// lib/kernels/contract-lstm.ts. All functions work on one block of units of one row, of which `n` lanes are
// valid: what is there in memory of parameters and masks. Of gates and cells there are `lanes`, whole vectors
// mostly.
#pragma once

namespace lstm_native::LSTM_TARGET {

// z∘previous + (1 - z)∘fresh
BRICK V zone(V z, V previous, V fresh) { return fma(z, sub(previous, fresh), fresh); }

BRICK V zoneout_at(const Zoneout& zoneout, const float* mask, int n) {
  return mask != nullptr ? load(mask, n) : set(zoneout.value);
}

// Where one row's block of units is read and written. Null where the option is off.
struct CellRow {
  const float* c_previous;
  float* c;
  float* gates;  // training: what is kept of i, f, g, o, `gate_stride` apart
  std::ptrdiff_t gate_stride;
  int lanes;
  const float* peephole;  // [3][H], i, f, o
  std::ptrdiff_t peephole_stride;
  const float* zoneout_mask;
};

// The functions of the standard cell. What the forward pass keeps of a gate is its value, from which the
// slope follows; Varied in variant.h has the other functions, and keeps the sums.
struct Standard {
  BRICK_MEMBER V gate(V sum) const { return sigmoid(sum); }
  BRICK_MEMBER V forget(V sum, V) const { return sigmoid(sum); }
  BRICK_MEMBER V candidate(V sum) const { return tanh(sum); }
  BRICK_MEMBER V output(V cell) const { return tanh(cell); }
  // What is kept, and the values again.
  BRICK_MEMBER V kept(V, V value) const { return value; }
  BRICK_MEMBER V kept_gate(V kept) const { return kept; }
  BRICK_MEMBER V kept_forget(V kept, V) const { return kept; }
  BRICK_MEMBER V kept_candidate(V kept) const { return kept; }
  // Slopes, from what was kept (in memory) and the value.
  BRICK_MEMBER V gate_slope(const float*, int, V y) const { return mul(y, sub(set(1.0f), y)); }
  BRICK_MEMBER V candidate_slope(const float*, int, V y) const { return fnma(y, y, set(1.0f)); }
  BRICK_MEMBER V output_slope(V, V y) const { return fnma(y, y, set(1.0f)); }
  BRICK_MEMBER bool coupled() const { return false; }
  // Lanes past n stand for no unit: zeros in the cell stay zeros.
  BRICK_MEMBER V only(V cell, int) const { return cell; }
};

// Gates and cell from the sums of a tile's row. Returns the raw cell ĉ, which the output sees, and the output
// gate.
template <typename Functions>
BRICK void cell_forward(const Functions& functions, const CellRow& row, const Zoneout& zoneout,
                        const float* sums, std::ptrdiff_t sum_stride, int n, V* raw_cell, V* output_gate) {
  const int lanes = row.lanes;
  V i = load(sums, lanes), f = load(sums + sum_stride, lanes), g = load(sums + 2 * sum_stride, lanes);
  V o = load(sums + 3 * sum_stride, lanes);
  const V c_previous = load(row.c_previous, lanes);
  if (row.peephole != nullptr) {
    i = fma(load(row.peephole, n), c_previous, i);
    f = fma(load(row.peephole + row.peephole_stride, n), c_previous, f);
  }
  const V gate_i = functions.gate(i);
  const V gate_f = functions.forget(f, gate_i);
  const V candidate = functions.candidate(g);
  const V c = functions.only(fma(gate_f, c_previous, mul(gate_i, candidate)), n);
  if (row.peephole != nullptr) o = fma(load(row.peephole + 2 * row.peephole_stride, n), c, o);
  const V gate_o = functions.gate(o);
  if (row.gates != nullptr) {
    store(row.gates, functions.kept(i, gate_i), lanes);
    store(row.gates + row.gate_stride, functions.kept(f, gate_f), lanes);
    store(row.gates + 2 * row.gate_stride, functions.kept(g, candidate), lanes);
    store(row.gates + 3 * row.gate_stride, functions.kept(o, gate_o), lanes);
  }
  store(row.c, zoneout.any() ? zone(zoneout_at(zoneout, row.zoneout_mask, n), c_previous, c) : c, lanes);
  *raw_cell = c;
  *output_gate = gate_o;
}

// The way back. Reads what cell_forward kept and overwrites it with the gradients of the four sums.
struct CellGradient {
  float* gates;
  std::ptrdiff_t gate_stride;
  int lanes;
  const float* c_previous;
  const float* peephole;
  std::ptrdiff_t peephole_stride;
  const float* zoneout_mask;
  float* dc;        // in: gradient of c[t]; out: of c[t-1]
  float* raw_cell;  // out: ĉ, where the peepholes' gradient needs it
};

// d_output is the gradient of o∘tanh(s), s the squashed cell: ĉ itself, or its normalisation, whose gradient
// the caller then passes as d_cell with `squashed` given.
struct CellActivations {
  V i, f, g, o, c_previous, c;
};

template <typename Functions>
BRICK CellActivations load_activations(const Functions& functions, const CellGradient& cell) {
  CellActivations a;
  a.i = functions.kept_gate(load(cell.gates, cell.lanes));
  a.f = functions.kept_forget(load(cell.gates + cell.gate_stride, cell.lanes), a.i);
  a.g = functions.kept_candidate(load(cell.gates + 2 * cell.gate_stride, cell.lanes));
  a.o = functions.kept_gate(load(cell.gates + 3 * cell.gate_stride, cell.lanes));
  a.c_previous = load(cell.c_previous, cell.lanes);
  a.c = fma(a.f, a.c_previous, mul(a.i, a.g));
  return a;
}

// From the gradients of the output gate's activation and of ĉ as the output sees it, to all that depends on
// them.
template <typename Functions>
BRICK void cell_backward(const Functions& functions, const CellGradient& cell, const Zoneout& zoneout,
                         const CellActivations& a, V d_gate_o, V d_raw_cell, int n) {
  float* const sum_f = cell.gates + cell.gate_stride;
  float* const sum_g = cell.gates + 2 * cell.gate_stride;
  float* const sum_o = cell.gates + 3 * cell.gate_stride;
  const V d_sum_o = mul(d_gate_o, functions.gate_slope(sum_o, cell.lanes, a.o));
  V d_c = load(cell.dc, cell.lanes);
  V d_c_previous = zero();
  if (zoneout.any()) {
    const V z = zoneout_at(zoneout, cell.zoneout_mask, n);
    d_c_previous = mul(z, d_c);
    d_c = sub(d_c, d_c_previous);
  }
  d_c = add(d_c, d_raw_cell);
  if (cell.peephole != nullptr) d_c = fma(load(cell.peephole + 2 * cell.peephole_stride, n), d_sum_o, d_c);
  const V ahead = functions.coupled() ? sub(a.g, a.c_previous) : a.g;
  const V d_sum_i = mul(mul(d_c, ahead), functions.gate_slope(cell.gates, cell.lanes, a.i));
  const V d_sum_f = functions.coupled()
                        ? zero()
                        : mul(mul(d_c, a.c_previous), functions.gate_slope(sum_f, cell.lanes, a.f));
  const V d_sum_g = mul(mul(d_c, a.i), functions.candidate_slope(sum_g, cell.lanes, a.g));
  d_c_previous = fma(d_c, a.f, d_c_previous);
  if (cell.peephole != nullptr) {
    d_c_previous = fma(load(cell.peephole, n), d_sum_i, d_c_previous);
    d_c_previous = fma(load(cell.peephole + cell.peephole_stride, n), d_sum_f, d_c_previous);
  }
  if (cell.raw_cell != nullptr) store(cell.raw_cell, a.c, cell.lanes);
  store(cell.dc, d_c_previous, cell.lanes);
  store(cell.gates, d_sum_i, cell.lanes);
  store(sum_f, d_sum_f, cell.lanes);
  store(sum_g, d_sum_g, cell.lanes);
  store(sum_o, d_sum_o, cell.lanes);
}

}  // namespace lstm_native::LSTM_TARGET
