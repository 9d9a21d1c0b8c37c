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

// All panels of a dense [K, N] matrix, contracted over its rows: [panels][K][kPanelColumns].
BRICK int panels_of(int N) { return (N + kPanelColumns - 1) / kPanelColumns; }

static void pack_columns(const float* matrix, int K, int N, int panel, float* packed) {
  const Columns columns = neighbouring_columns(N - panel * kPanelColumns);
  const float* row = matrix + static_cast<std::ptrdiff_t>(panel) * kPanelColumns;
  for (int k = 0; k < K; k++, row += N, packed += kPanelColumns) {
    for (int j = 0; j < 4; j++) store(packed + j * kWidth, load(row + j * kWidth, columns.lanes[j]));
  }
}

}  // namespace lstm_native::LSTM_TARGET
