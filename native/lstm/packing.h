// LSTM weights as panels. A gate panel holds one block of kWidth units: [K][4 gates][kWidth], so that a tile
// ends with all four gates of the same units in registers.
#pragma once

namespace lstm_native::LSTM_TARGET {

BRICK int unit_blocks(int H) { return (H + kWidth - 1) / kWidth; }

// Panel of units [unit, unit + kWidth) from a [4H, K] matrix; units past H become zeros.
static void pack_gate_panel(const float* weight, int H, int K, int unit, float* panel) {
  const int count = H - unit < kWidth ? H - unit : kWidth;
  for (int gate = 0; gate < 4; gate++) {
    const float* rows = weight + (static_cast<std::ptrdiff_t>(gate) * H + unit) * K;
    float* lanes = panel + gate * kWidth;
    // Sixteen k at a time: the strided writes of a row then meet lines that the next row still finds in L1.
    for (int k0 = 0; k0 < K; k0 += 16) {
      const int k1 = k0 + 16 < K ? k0 + 16 : K;
      for (int lane = 0; lane < kWidth; lane++) {
        if (lane < count) {
          const float* row = rows + static_cast<std::ptrdiff_t>(lane) * K;
          for (int k = k0; k < k1; k++) lanes[k * kPanelColumns + lane] = row[k];
        } else {
          for (int k = k0; k < k1; k++) lanes[k * kPanelColumns + lane] = 0;
        }
      }
    }
  }
}

// The sum of both biases, [blocks][4][kWidth]: where every gate's sum starts.
static void pack_bias(const float* bias_ih, const float* bias_hh, int H, float* packed) {
  const int padded = unit_blocks(H) * kWidth;
  for (int unit = 0; unit < padded; unit++) {
    float* block = packed + unit / kWidth * kPanelColumns + unit % kWidth;
    for (int gate = 0; gate < 4; gate++) {
      float sum = 0;
      if (unit < H && bias_ih != nullptr) sum += bias_ih[gate * H + unit];
      if (unit < H && bias_hh != nullptr) sum += bias_hh[gate * H + unit];
      block[gate * kWidth] = sum;
    }
  }
}

// Everything a forward pass reads of the parameters, in one piece of memory. Each section starts on a cache
// line.
struct PackedWeights {
  float* input;       // [unit blocks][I][4][kWidth]
  float* hidden;      // [unit blocks][R][4][kWidth]
  float* projection;  // [panels of P][H][kPanelColumns]
  float* bias;        // [unit blocks][4][kWidth], both biases added
  float* flat_bias;   // [4H], the same as normalised rows read it
  float* peephole;    // [3][H]
  float* norm_ih;     // [4H]
  float* norm_hh;     // [4H]
  float* norm_cell;   // [2][H]
};

BRICK std::size_t whole_lines(std::size_t floats) { return (floats + 15) / 16 * 16; }

// Lays the sections out from `memory` on (null to measure); returns their length together.
static std::size_t packed_sections(const LstmShape& shape, float* memory, PackedWeights* packed) {
  const std::size_t H = shape.H, blocks = unit_blocks(shape.H);
  std::size_t length = 0;
  const struct {
    float** section;
    std::size_t floats;
  } sections[] = {
      {&packed->input, blocks * shape.I * kPanelColumns},
      {&packed->hidden, blocks * shape.R() * kPanelColumns},
      {&packed->projection, shape.P > 0 ? panels_of(shape.P) * H * kPanelColumns : 0},
      {&packed->bias, blocks * kPanelColumns},
      {&packed->flat_bias, shape.layer_norm ? 4 * H : 0},
      {&packed->peephole, shape.peepholes ? 3 * H : 0},
      {&packed->norm_ih, shape.layer_norm ? 4 * H : 0},
      {&packed->norm_hh, shape.layer_norm ? 4 * H : 0},
      {&packed->norm_cell, shape.layer_norm ? 2 * H : 0},
  };
  for (const auto& each : sections) {
    *each.section = memory != nullptr && each.floats > 0 ? memory + length : nullptr;
    length += whole_lines(each.floats);
  }
  return length;
}

static void copy_section(float* section, const float* from, std::size_t floats) {
  if (section != nullptr) std::memcpy(section, from, sizeof(float) * floats);
}

// The part of thread `index` of `count`; the parts may run at once.
static void pack_weights(const LstmShape& shape, const LstmWeights<const float>& weights,
                         const PackedWeights& packed, int index, int count) {
  const int H = shape.H, I = shape.I, R = shape.R();
  int first, last;
  share(unit_blocks(H), index, count, &first, &last);
  for (int u = first; u < last; u++) {
    const std::size_t panel = static_cast<std::size_t>(u) * kPanelColumns;
    pack_gate_panel(weights.weight_ih, H, I, u * kWidth, packed.input + panel * I);
    pack_gate_panel(weights.weight_hh, H, R, u * kWidth, packed.hidden + panel * R);
  }
  if (shape.P > 0) {
    share(panels_of(shape.P), index, count, &first, &last);
    for (int n = first; n < last; n++) {
      pack_panel_transposed(weights.weight_hr, H, H, n * kPanelColumns, shape.P,
                            packed.projection + static_cast<std::size_t>(n) * kPanelColumns * H);
    }
  }
  if (index > 0) return;
  pack_bias(weights.bias_ih, weights.bias_hh, H, packed.bias);
  for (int j = 0; packed.flat_bias != nullptr && j < 4 * H; j++) {
    const float ih = weights.bias_ih != nullptr ? weights.bias_ih[j] : 0;
    packed.flat_bias[j] = ih + (weights.bias_hh != nullptr ? weights.bias_hh[j] : 0);
  }
  copy_section(packed.peephole, weights.peephole, 3 * static_cast<std::size_t>(H));
  copy_section(packed.norm_ih, weights.norm_ih, 4 * static_cast<std::size_t>(H));
  copy_section(packed.norm_hh, weights.norm_hh, 4 * static_cast<std::size_t>(H));
  copy_section(packed.norm_cell, weights.norm_cell, 2 * static_cast<std::size_t>(H));
}

// Length of a row of the gates' gradients as the backward pass keeps it: blocks of [4][kWidth], the last one
// filled up, or with layer normalisation, whose statistics run along whole rows, [4H].
BRICK int gate_row_length(const LstmShape& shape) {
  return shape.layer_norm ? 4 * shape.H : unit_blocks(shape.H) * kPanelColumns;
}

// One panel of a dense [K, N] matrix, contracted over its rows: [K][kPanelColumns].
static void pack_columns(const float* matrix, int K, int N, int panel, float* packed) {
  const Columns columns = neighbouring_columns(N - panel * kPanelColumns);
  const float* row = matrix + static_cast<std::ptrdiff_t>(panel) * kPanelColumns;
  for (int k = 0; k < K; k++, row += N, packed += kPanelColumns) pack_row(row, columns, packed);
}

// The same from rows [k0, k0 + kc) of a [4H, N] matrix in the order of the gates' gradients; both are whole
// blocks of units.
static void pack_gate_columns(const LstmShape& shape, const float* matrix, int k0, int kc, int N, int panel,
                              float* packed) {
  const std::ptrdiff_t H = shape.H;
  if (shape.layer_norm)
    return pack_columns(matrix + static_cast<std::ptrdiff_t>(k0) * N, kc, N, panel, packed);
  for (int k = k0; k < k0 + kc; k += kWidth, packed += kWidth * kPanelColumns) {
    const int unit = k / kPanelColumns * kWidth, gate = k % kPanelColumns / kWidth;
    const int units = shape.H - unit < kWidth ? shape.H - unit : kWidth;
    pack_columns(matrix + (gate * H + unit) * N, units, N, panel, packed);
    std::memset(packed + units * kPanelColumns, 0, sizeof(float) * (kWidth - units) * kPanelColumns);
  }
}

// The matrices as a backward pass reads them, contracted over their rows; G stands for gate_row_length.
struct BackwardPanels {
  float* hidden_panels;      // [panels of R][G][kPanelColumns]
  float* projection_panels;  // [panels of H][P][kPanelColumns]
  float* input_panels;       // W_ih as pack_b lays it out, [packed_b_length(G, I)]; or null
};

// Floats, and the sections from `memory` on. A product with few columns reads W_ih as it is.
static std::size_t backward_sections(const LstmShape& shape, LstmPass pass, float* memory,
                                     BackwardPanels* panels) {
  const int G = gate_row_length(shape);
  const bool to_input = pass == LstmPass::backward_to_input && shape.I > kThin;
  const std::size_t hidden = whole_lines(packed_b_length(G, shape.R()));
  const std::size_t projection = shape.P > 0 ? whole_lines(packed_b_length(shape.P, shape.H)) : 0;
  panels->hidden_panels = memory;
  panels->projection_panels = memory != nullptr && projection > 0 ? memory + hidden : nullptr;
  panels->input_panels = memory != nullptr && to_input ? memory + hidden + projection : nullptr;
  return hidden + projection + (to_input ? packed_b_length(G, shape.I) : 0);
}

// The part of thread `index` of `count`; the parts may run at once.
static void pack_backward(const LstmShape& shape, const LstmWeights<const float>& weights,
                          const BackwardPanels& panels, int index, int count) {
  const int H = shape.H, I = shape.I, P = shape.P, R = shape.R(), G = gate_row_length(shape);
  int first, last;
  share(panels_of(R), index, count, &first, &last);
  for (int n = first; n < last; n++)
    pack_gate_columns(shape, weights.weight_hh, 0, G, R, n,
                      panels.hidden_panels + packed_b_length(G, n * kPanelColumns));
  if (panels.projection_panels != nullptr) {
    share(panels_of(H), index, count, &first, &last);
    for (int n = first; n < last; n++)
      pack_columns(weights.weight_hr, P, H, n,
                   panels.projection_panels + packed_b_length(P, n * kPanelColumns));
  }
  if (panels.input_panels == nullptr) return;
  share(panels_of(I), index, count, &first, &last);
  // Chunk after chunk, as pack_b lays it out.
  for (int k = 0; k < G; k += kChunk) {
    const int kc = G - k < kChunk ? G - k : kChunk;
    float* chunk = panels.input_panels + packed_b_length(k, I);
    for (int n = first; n < last; n++) {
      pack_gate_columns(shape, weights.weight_ih, k, kc, I, n,
                        chunk + packed_b_length(kc, n * kPanelColumns));
    }
  }
}

static std::size_t lstm_packed_length(const LstmShape& shape, LstmPass pass) {
  PackedWeights packed;
  BackwardPanels panels;
  return pass == LstmPass::forward ? packed_sections(shape, nullptr, &packed)
                                   : backward_sections(shape, pass, nullptr, &panels);
}

struct PackRun {
  const LstmShape* shape;
  const LstmWeights<const float>* weights;
  LstmPass pass;
  PackedWeights packed;
  BackwardPanels panels;
};

static void pack_share(void* data, int index, int count) {
  const PackRun& run = *static_cast<const PackRun*>(data);
  if (run.pass == LstmPass::forward) {
    pack_weights(*run.shape, *run.weights, run.packed, index, count);
  } else {
    pack_backward(*run.shape, *run.weights, run.panels, index, count);
  }
}

static void lstm_pack(const Context& context, const LstmShape& shape, LstmPass pass,
                      const LstmWeights<const float>& weights, float* memory) {
  PackRun run = {&shape, &weights, pass, {}, {}};
  const std::size_t floats = pass == LstmPass::forward ? packed_sections(shape, memory, &run.packed)
                                                       : backward_sections(shape, pass, memory, &run.panels);
  context.pool->run(useful_threads(context, static_cast<double>(floats) * kCheap), pack_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
