// The register tile that everything with many multiplications runs on: R rows by 4 vectors of accumulators,
// against a panel of packed weights, [K][4][kWidth]. The four vectors are four neighbouring columns in a
// plain product and the four gates of one block of units in the LSTM; only where a tile is loaded and stored
// differs.
//
// Every accumulator is one chain of fused multiply-adds over k in rising order, whatever R is and wherever
// the row stands: a row's bits depend on nothing but the row.
#pragma once

namespace lstm_native::LSTM_TARGET {

constexpr int kPanelColumns = 4 * kWidth;

// How many valid lanes each of a tile's four vectors has, and how far apart they stand in memory.
struct Columns {
  std::ptrdiff_t stride;
  int lanes[4];
  bool full;
};

// Four neighbouring vectors of which `count` columns are valid.
BRICK Columns neighbouring_columns(int count) {
  Columns columns = {kWidth, {}, count >= kPanelColumns};
  for (int j = 0; j < 4; j++) {
    const int left = count - j * kWidth;
    columns.lanes[j] = left < 0 ? 0 : left > kWidth ? kWidth : left;
  }
  return columns;
}

// The four gates of `count` units, `stride` floats apart.
BRICK Columns gate_columns(int count, std::ptrdiff_t stride) {
  const int lanes = count > kWidth ? kWidth : count;
  return {stride, {lanes, lanes, lanes, lanes}, lanes == kWidth};
}

// Rows given by pointers: element (r, k) is p[r][k].
struct RowsOfA {
  const float* const* p;
  BRICK_MEMBER float at(int r, int k) const { return p[r][k]; }
};

// R rows packed together: element (r, k) is p[k * R + r].
template <int R>
struct PackedRowsOfA {
  const float* p;
  BRICK_MEMBER float at(int r, int k) const { return p[k * R + r]; }
};

// How rows of A lie in memory that are not whole: `length` floats of k side by side, the next ones `stride`
// on.
struct Pieces {
  int length;
  std::ptrdiff_t stride;
};

// Asks for what a tile touches when its sums are done: their chain hides the way from L3.
BRICK void fetch_ahead(const float* p) { __builtin_prefetch(p); }

template <int R>
struct Tile {
  V sum[R][4];

  BRICK_MEMBER void clear() {
    for (int r = 0; r < R; r++) {
      for (int j = 0; j < 4; j++) sum[r][j] = zero();
    }
  }

  // Every row starts from the same four vectors, [4][kWidth]: a packed bias.
  BRICK_MEMBER void start(const float* four) {
    for (int j = 0; j < 4; j++) {
      const V v = load(four + j * kWidth);
      for (int r = 0; r < R; r++) sum[r][j] = v;
    }
  }

  static BRICK_MEMBER void fetch_rows(const float* const* rows, const Columns& columns) {
    for (int r = 0; r < R; r++) {
      for (int j = 0; j < 4; j++) fetch_ahead(rows[r] + j * columns.stride);
    }
  }

  BRICK_MEMBER void load_rows(const float* const* rows, const Columns& columns) {
    for (int r = 0; r < R; r++) {
      for (int j = 0; j < 4; j++) {
        const float* p = rows[r] + j * columns.stride;
        sum[r][j] = columns.full ? load(p) : load(p, columns.lanes[j]);
      }
    }
  }

  BRICK_MEMBER void store_rows(float* const* rows, const Columns& columns) const {
    for (int r = 0; r < R; r++) {
      for (int j = 0; j < 4; j++) {
        float* p = rows[r] + j * columns.stride;
        if (columns.full) {
          store(p, sum[r][j]);
        } else {
          store(p, sum[r][j], columns.lanes[j]);
        }
      }
    }
  }

  BRICK_MEMBER void add_to_rows(float* const* rows, const Columns& columns) {
    for (int r = 0; r < R; r++) {
      for (int j = 0; j < 4; j++) {
        const float* p = rows[r] + j * columns.stride;
        sum[r][j] = add(columns.full ? load(p) : load(p, columns.lanes[j]), sum[r][j]);
      }
    }
    store_rows(rows, columns);
  }

  // sum[r][j] += Σ_k a(r, k)·panel[k][j]
  template <typename A>
  BRICK_MEMBER void multiply(A a, const float* panel, int K) {
    multiply_vectors<4>(a, panel, K);
  }

  // The same where only the first `columns` of the panel are wanted: less work if they fit fewer vectors.
  template <typename A>
  BRICK_MEMBER void multiply_columns(A a, const float* panel, int K, int columns) {
    if (columns <= kWidth) {
      multiply_vectors<1>(a, panel, K);
    } else if (columns <= 2 * kWidth) {
      multiply_vectors<2>(a, panel, K);
    } else {
      multiply_vectors<4>(a, panel, K);
    }
  }

  // The same over rows in pieces, all of which lie equally far apart.
  BRICK_MEMBER void multiply_pieces(const float* const* rows, Pieces pieces, const float* panel, int K,
                                    int columns) {
    if (columns <= kWidth) {
      multiply_piece_vectors<1>(rows, pieces, panel, K);
    } else if (columns <= 2 * kWidth) {
      multiply_piece_vectors<2>(rows, pieces, panel, K);
    } else {
      multiply_piece_vectors<4>(rows, pieces, panel, K);
    }
  }

 private:
  template <int kVectors>
  BRICK_MEMBER void multiply_piece_vectors(const float* const* rows, Pieces pieces, const float* panel,
                                           int K) {
    std::ptrdiff_t offset = 0;
    for (int k = 0; k < K; k += pieces.length, offset += pieces.stride) {
      const float* piece[R];
      for (int r = 0; r < R; r++) piece[r] = rows[r] + offset;
      const int length = K - k < pieces.length ? K - k : pieces.length;
      multiply_vectors<kVectors>(RowsOfA{piece}, panel + static_cast<std::ptrdiff_t>(k) * kPanelColumns,
                                 length);
    }
  }

  template <int kVectors, typename A>
  BRICK_MEMBER void multiply_vectors(A a, const float* panel, int K) {
    for (int k = 0; k < K; k++, panel += kPanelColumns) {
      V row[R];
      for (int r = 0; r < R; r++) row[r] = set(a.at(r, k));
      for (int j = 0; j < kVectors; j++) {
        const V weight = load(panel + j * kWidth);
        for (int r = 0; r < R; r++) sum[r][j] = fma(row[r], weight, sum[r][j]);
      }
    }
  }
};

// A row's four vectors, from `row` on, into a panel's.
BRICK void pack_row(const float* row, const Columns& columns, float* panel) {
  for (int j = 0; j < 4; j++) store(panel + j * kWidth, load(row + j * kWidth, columns.lanes[j]));
}

// Columns [first, first + kPanelColumns) of a [K, N] matrix whose rows are given by pointers, null for zeros,
// packed as a panel. Columns past N become zeros.
static void pack_panel(const float* const* rows, int K, int first, int N, float* panel) {
  const Columns columns = neighbouring_columns(N - first);
  for (int k = 0; k < K; k++, panel += kPanelColumns) {
    if (rows[k] != nullptr) {
      pack_row(rows[k] + first, columns, panel);
    } else {
      std::memset(panel, 0, sizeof(float) * kPanelColumns);
    }
  }
}

// The same from the transpose: the panel's column n is row first + n of a [N, K] matrix.
static void pack_panel_transposed(const float* matrix, std::ptrdiff_t ld, int K, int first, int N,
                                  float* panel) {
  const int count = N - first < kPanelColumns ? N - first : kPanelColumns;
  // Sixteen k at a time: the strided reads of each column then stay within a cache line.
  for (int k0 = 0; k0 < K; k0 += 16) {
    const int k1 = k0 + 16 < K ? k0 + 16 : K;
    for (int n = 0; n < count; n++) {
      const float* row = matrix + (first + n) * ld;
      for (int k = k0; k < k1; k++) panel[k * kPanelColumns + n] = row[k];
    }
    for (int n = count; n < kPanelColumns; n++) {
      for (int k = k0; k < k1; k++) panel[k * kPanelColumns + n] = 0;
    }
  }
}

}  // namespace lstm_native::LSTM_TARGET
