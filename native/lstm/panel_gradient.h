// The gradient of W_ih or W_hh: dW += Σ_n dgates[n]ᵀ·row[n], where the gates' gradients lie in panels, a
// block of units each, as the backward pass leaves them. A panel is an operand of the tile as it stands; the
// rows, of which a tile takes kRows columns, are packed once a chunk. The tile's result is the transpose of
// what is wanted, and is turned at the end.
#pragma once

namespace lstm_native::LSTM_TARGET {

constexpr std::size_t kPackedBlock = kChunk * kRows + kWidth;  // room for the last row's whole vectors

struct PanelGradient {
  int N, K;                  // rows of the batch, columns of the weight
  const float* const* rows;  // [N] pointers to K floats
  const float* panels;       // [panel_count][..][4][kWidth]
  std::ptrdiff_t panel_stride;
  int panel_count, H;
  float* dweight;  // [4H, K]
  float* packed;   // [blocks of columns][kPackedBlock]: [rows of the chunk][columns of the block]
  float* sums;     // [panel_count][K][4][kWidth]
  Barrier barrier;
};

// Columns [first, last) of K are block b of `blocks`, these being as even as possible.
struct ColumnBlock {
  int first, count;

  static BRICK_MEMBER ColumnBlock of(int K, int b, int blocks) {
    const int first = static_cast<int>(static_cast<std::int64_t>(K) * b / blocks);
    return {first, static_cast<int>(static_cast<std::int64_t>(K) * (b + 1) / blocks) - first};
  }
};

template <int R>
static void panel_gradient_tile(const PanelGradient& p, int n0, int count, int panel, int b, int first) {
  float* rows[R];
  for (int r = 0; r < R; r++) {
    rows[r] = p.sums + (static_cast<std::ptrdiff_t>(panel) * p.K + first + r) * kPanelColumns;
  }
  const Columns columns = neighbouring_columns(kPanelColumns);
  Tile<R> tile;
  tile.clear();
  if (n0 > 0) tile.fetch_rows(rows, columns);
  tile.multiply(PackedRowsOfA<R>{p.packed + b * kPackedBlock},
                p.panels + panel * p.panel_stride + static_cast<std::ptrdiff_t>(n0) * kPanelColumns, count);
  if (n0 == 0) {
    tile.store_rows(rows, columns);
  } else {
    tile.add_to_rows(rows, columns);
  }
}

template <int R>
static void panel_gradient_tile_of(const PanelGradient& p, int n0, int count, int panel, int b,
                                   const ColumnBlock& block) {
  if (block.count == R) {
    panel_gradient_tile<R>(p, n0, count, panel, b, block.first);
  } else if constexpr (R > 1) {
    panel_gradient_tile_of<R - 1>(p, n0, count, panel, b, block);
  }
}

// Columns of a block, row after row. Whole vectors are stored, of which the next row overwrites what is not
// the block's.
static void pack_column_block(const PanelGradient& p, int n0, int rows, const ColumnBlock& block, int b) {
  float* to = p.packed + b * kPackedBlock;
  for (int n = 0; n < rows; n++, to += block.count) {
    const float* from = p.rows[n0 + n] + block.first;
    for (int j = 0; j < block.count; j += kWidth) {
      store(to + j, load(from + j, p.K - block.first - j));
    }
  }
}

// dW of the units of a panel and the columns of a block, from their transpose.
static void add_transposed(const PanelGradient& p, int panel, const ColumnBlock& block) {
  const float* sums = p.sums + (static_cast<std::ptrdiff_t>(panel) * p.K + block.first) * kPanelColumns;
  const int unit = panel * kWidth, units = p.H - unit < kWidth ? p.H - unit : kWidth;
  for (int gate = 0; gate < 4; gate++) {
    for (int lane = 0; lane < units; lane++) {
      float* row = p.dweight + (static_cast<std::ptrdiff_t>(gate) * p.H + unit + lane) * p.K + block.first;
      for (int j = 0; j < block.count; j++) row[j] += sums[j * kPanelColumns + gate * kWidth + lane];
    }
  }
}

static void panel_gradient_share(void* data, int index, int count) {
  PanelGradient& p = *static_cast<PanelGradient*>(data);
  const int blocks = (p.K + kRows - 1) / kRows;
  int first, last, block0, block1;
  share(p.panel_count * blocks, index, count, &first, &last);
  share(blocks, index, count, &block0, &block1);
  for (int n0 = 0; n0 < p.N; n0 += kChunk) {
    const int rows = p.N - n0 < kChunk ? p.N - n0 : kChunk;
    if (n0 > 0) p.barrier.wait(count);
    for (int b = block0; b < block1; b++) pack_column_block(p, n0, rows, ColumnBlock::of(p.K, b, blocks), b);
    p.barrier.wait(count);
    for (int i = first; i < last; i++) {
      const int b = i % blocks;
      panel_gradient_tile_of<kRows>(p, n0, rows, i / blocks, b, ColumnBlock::of(p.K, b, blocks));
    }
  }
  for (int i = first; i < last; i++) {
    add_transposed(p, i / blocks, ColumnBlock::of(p.K, i % blocks, blocks));
  }
}

static void panel_gradient(const Context& context, PanelGradient& p) {
  if (p.K == 0 || p.N == 0) return;
  const std::size_t blocks = (p.K + kRows - 1) / kRows;
  p.packed = context.arena->take<float>(blocks * kPackedBlock);
  p.sums = context.arena->take<float>(static_cast<std::size_t>(p.panel_count) * p.K * kPanelColumns);
  const double work = static_cast<double>(p.N) * p.K * p.panel_count * kPanelColumns;
  context.pool->run(useful_threads(context, work), panel_gradient_share, &p);
}

}  // namespace lstm_native::LSTM_TARGET
