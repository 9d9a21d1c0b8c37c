// Our own packed matrix product, and the LSTM's merged products, which differ only in how rows are found: by
// pointers, so that a product over the valid steps of strided sequences needs no copy.
//
// The sum over k is cut into chunks of kChunk, each a chain of its own that is added to C: rounding grows
// with the chunk and not with K, and since the cut is fixed, an element's bits depend on its row and column
// alone. Threads share out tiles of C, never k.
#pragma once

namespace lstm_native::LSTM_TARGET {

constexpr int kChunk = 512;  // a panel of B is 128 KB at 16 lanes: it stays in L2 while all rows pass by

// C = A·B, or C += A·B. A and B come by rows, or transposed as a dense matrix.
struct Product {
  int M, N, K;
  const float* const* a_rows;  // [M] pointers to rows of A, whole or in pieces; or null and then
  const float* a_transposed;   // element (m, k) is a_transposed[k * lda + m]
  std::ptrdiff_t lda;
  Pieces a_pieces;             // of a_rows; a length of 0: rows are whole
  const float* const* b_rows;  // [K] pointers to rows of B, null for zeros; or null and then
  const float* b_transposed;   // element (k, n) is b_transposed[n * ldb + k]
  std::ptrdiff_t ldb;
  const float* b_packed;  // or both null, and B was packed before, by pack_b
  float* const* c_rows;   // [M]
  bool accumulate;
};

struct ProductRun {
  const Product* product;
  float* b_panels;  // one chunk of B, [panels][k of the chunk][kPanelColumns], unless B is packed
  float* a_blocks;  // [blocks][kChunk][kRows] if A is transposed
  Barrier barrier;
};

// The part of `total` items that thread `index` of `count` has: [*first, *last).
BRICK void share(int total, int index, int count, int* first, int* last) {
  *first = static_cast<int>(static_cast<std::int64_t>(total) * index / count);
  *last = static_cast<int>(static_cast<std::int64_t>(total) * (index + 1) / count);
}

BRICK int panels_of(int N) { return (N + kPanelColumns - 1) / kPanelColumns; }

// Floats of a packed B: chunk after chunk, [panels][k of the chunk][kPanelColumns].
BRICK std::size_t packed_b_length(int K, int N) {
  return static_cast<std::size_t>(panels_of(N)) * K * kPanelColumns;
}

BRICK const float* chunk_of_b(const ProductRun& run, int k0) {
  const Product& p = *run.product;
  return p.b_packed != nullptr ? p.b_packed + packed_b_length(k0, p.N) : run.b_panels;
}

template <int R>
static void product_tile(const ProductRun& run, int k0, int kc, int m, int panel, const Columns& columns,
                         bool add) {
  const Product& p = *run.product;
  float* out[R];
  for (int r = 0; r < R; r++) out[r] = p.c_rows[m + r] + static_cast<std::ptrdiff_t>(panel) * kPanelColumns;
  Tile<R> tile;
  tile.clear();
  if (add) tile.fetch_rows(out, columns);
  const float* b = chunk_of_b(run, k0) + static_cast<std::size_t>(panel) * kc * kPanelColumns;
  if (p.a_rows != nullptr) {
    const float* rows[R];
    if (p.a_pieces.length == 0) {
      for (int r = 0; r < R; r++) rows[r] = p.a_rows[m + r] + k0;
      tile.multiply_columns(RowsOfA{rows}, b, kc, p.N - panel * kPanelColumns);
    } else {  // a chunk is a whole number of pieces
      const std::ptrdiff_t offset = k0 / p.a_pieces.length * p.a_pieces.stride;
      for (int r = 0; r < R; r++) rows[r] = p.a_rows[m + r] + offset;
      tile.multiply_pieces(rows, p.a_pieces, b, kc, p.N - panel * kPanelColumns);
    }
  } else {
    tile.multiply(PackedRowsOfA<R>{run.a_blocks + static_cast<std::size_t>(m / kRows) * kChunk * kRows}, b,
                  kc);
  }
  if (add) {
    tile.add_to_rows(out, columns);
  } else {
    tile.store_rows(out, columns);
  }
}

template <int R>
static void product_tile_of(int rows, const ProductRun& run, int k0, int kc, int m, int panel,
                            const Columns& columns, bool add) {
  if (rows == R) {
    product_tile<R>(run, k0, kc, m, panel, columns, add);
  } else if constexpr (R > 1) {
    product_tile_of<R - 1>(rows, run, k0, kc, m, panel, columns, add);
  }
}

// A block of `rows` columns of the transposed A, packed so that a tile reads it in order.
static void pack_a_block(const Product& p, int k0, int kc, int m, int rows, float* block) {
  for (int k = 0; k < kc; k++) {
    const float* from = p.a_transposed + (k0 + k) * p.lda + m;
    for (int r = 0; r < rows; r++) block[k * rows + r] = from[r];
  }
}

// Panel n of chunk k0 of B.
static void pack_b_panel(const Product& p, int k0, int kc, int n, float* chunk) {
  float* panel = chunk + static_cast<std::size_t>(n) * kc * kPanelColumns;
  if (p.b_rows != nullptr) {
    pack_panel(p.b_rows + k0, kc, n * kPanelColumns, p.N, panel);
  } else {
    pack_panel_transposed(p.b_transposed + k0, p.ldb, kc, n * kPanelColumns, p.N, panel);
  }
}

// The whole of B, for products to come: [packed_b_length].
static void pack_b(const Product& p, float* packed) {
  for (int k0 = 0; k0 < p.K; k0 += kChunk) {
    const int kc = p.K - k0 < kChunk ? p.K - k0 : kChunk;
    for (int n = 0; n < panels_of(p.N); n++) pack_b_panel(p, k0, kc, n, packed + packed_b_length(k0, p.N));
  }
}

static void pack_chunk(ProductRun& run, int k0, int kc, int index, int count) {
  const Product& p = *run.product;
  int first, last;
  if (p.b_packed == nullptr) {
    share(panels_of(p.N), index, count, &first, &last);
    for (int n = first; n < last; n++) pack_b_panel(p, k0, kc, n, run.b_panels);
  }
  if (p.a_rows != nullptr) return;
  const int blocks = (p.M + kRows - 1) / kRows;
  share(blocks, index, count, &first, &last);
  for (int b = first; b < last; b++) {
    const int m = b * kRows;
    const int rows = p.M - m < kRows ? p.M - m : kRows;
    pack_a_block(p, k0, kc, m, rows, run.a_blocks + static_cast<std::size_t>(b) * kChunk * kRows);
  }
}

static void product_share(void* data, int index, int count) {
  ProductRun& run = *static_cast<ProductRun*>(data);
  const Product& p = *run.product;
  const int panels = panels_of(p.N);
  const int blocks = (p.M + kRows - 1) / kRows;
  // Panels are shared out where there are enough of them, so that each thread keeps its part of B; else rows.
  const bool by_panels = panels >= count;
  int panel0 = 0, panel1 = panels, block0 = 0, block1 = blocks;
  if (by_panels) {
    share(panels, index, count, &panel0, &panel1);
  } else {
    share(blocks, index, count, &block0, &block1);
  }
  for (int k0 = 0; k0 < p.K; k0 += kChunk) {
    const int kc = p.K - k0 < kChunk ? p.K - k0 : kChunk;
    if (k0 > 0) run.barrier.wait(count);
    pack_chunk(run, k0, kc, index, count);
    run.barrier.wait(count);
    const bool add = p.accumulate || k0 > 0;
    for (int panel = panel0; panel < panel1; panel++) {
      const Columns columns = neighbouring_columns(p.N - panel * kPanelColumns);
      for (int block = block0; block < block1; block++) {
        const int m = block * kRows;
        const int rows = p.M - m < kRows ? p.M - m : kRows;
        product_tile_of<kRows>(rows, run, k0, kc, m, panel, columns, add);
      }
    }
  }
}

// Multiplications from which a further thread brings more than it costs: when it is awake, and when it must
// be woken first, which takes some 60 to 100 µs on a virtual machine.
constexpr double kMultiplicationsPerThread = 2e5;
constexpr double kMultiplicationsToWake = 1e6;

// Results do not depend on the number of threads, so it may depend on who happens to be awake.
BRICK int useful_threads(const Context& context, double multiplications) {
  if (context.threads == 1) return 1;
  const double least =
      context.pool->awake(context.threads - 1) ? kMultiplicationsPerThread : kMultiplicationsToWake;
  if (multiplications < least) return 1;
  const double useful = multiplications / kMultiplicationsPerThread;
  return useful < 1 ? 1 : useful < context.threads ? static_cast<int>(useful) : context.threads;
}

static void multiply(const Context& context, const Product& p) {
  if (p.M == 0 || p.N == 0) return;
  if (p.K == 0) {
    if (!p.accumulate) {
      for (int m = 0; m < p.M; m++) std::memset(p.c_rows[m], 0, sizeof(float) * p.N);
    }
    return;
  }
  const std::size_t blocks = (p.M + kRows - 1) / kRows;
  ProductRun run;
  run.product = &p;
  const int longest = p.K < kChunk ? p.K : kChunk;
  run.b_panels = p.b_packed != nullptr ? nullptr : context.arena->take<float>(packed_b_length(longest, p.N));
  run.a_blocks = p.a_rows != nullptr ? nullptr : context.arena->take<float>(blocks * kChunk * kRows);
  const double work = static_cast<double>(p.M) * p.N * p.K;
  context.pool->run(useful_threads(context, work), product_share, &run);
}

// Pointers to `count` rows that stand `stride` floats apart.
template <typename Float>
static Float** row_pointers(const Context& context, Float* first, std::ptrdiff_t stride, int count) {
  Float** rows = context.arena->take<Float*>(count);
  for (int i = 0; i < count; i++) rows[i] = first + i * stride;
  return rows;
}

static void gemm(const Context& context, const GemmArgs& args) {
  Product p = {};
  p.M = args.M;
  p.N = args.N;
  p.K = args.K;
  p.accumulate = args.accumulate;
  if (args.transpose_a) {
    p.a_transposed = args.A;
    p.lda = args.lda;
  } else {
    p.a_rows = row_pointers(context, args.A, args.lda, args.M);
  }
  if (args.transpose_b) {
    p.b_transposed = args.B;
    p.ldb = args.ldb;
  } else {
    p.b_rows = row_pointers(context, args.B, args.ldb, args.K);
  }
  p.c_rows = row_pointers(context, args.C, args.ldc, args.M);
  multiply(context, p);
}

}  // namespace lstm_native::LSTM_TARGET
