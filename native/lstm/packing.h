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

static std::size_t lstm_packed_length(const LstmShape& shape) {
  PackedWeights unused;
  return packed_sections(shape, nullptr, &unused);
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

static void lstm_pack(const LstmShape& shape, const LstmWeights<const float>& weights, float* memory) {
  PackedWeights packed;
  packed_sections(shape, memory, &packed);
  pack_weights(shape, weights, packed, 0, 1);
}

}  // namespace lstm_native::LSTM_TARGET
