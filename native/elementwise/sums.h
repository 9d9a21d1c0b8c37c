// Sums in a fixed order, whatever the number of threads: along rows in double, down columns in chunks.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Partial sums side by side: whole vectors of doubles on every target, and no addition waits for the last
// one.
constexpr int kPartialSums = 16;

// Σ terms.at(j) over j < n. The order depends on n alone and is the same on every target.
template <typename Terms>
BRICK double sum_of(const Terms& terms, int n) {
  double partial[kPartialSums] = {};
  int j = 0;
  for (; j + kPartialSums <= n; j += kPartialSums) {
    for (int lane = 0; lane < kPartialSums; lane++) partial[lane] += terms.at(j + lane);
  }
  for (int lane = 0; j + lane < n; lane++) partial[lane] += terms.at(j + lane);
  for (int half = kPartialSums / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; lane++) partial[lane] += partial[lane + half];
  }
  return partial[0];
}

struct Values {
  const float* x;
  BRICK_MEMBER double at(int j) const { return x[j]; }
};

// (x - centre)²
struct Squares {
  const float* x;
  double centre;
  BRICK_MEMBER double at(int j) const { return (x[j] - centre) * (x[j] - centre); }
};

// a∘b, exact
struct Products {
  const float* a;
  const float* b;
  BRICK_MEMBER double at(int j) const { return static_cast<double>(a[j]) * b[j]; }
};

// y[j] += Σ_n a[n][j]·b[n][j] (b null: 1), over N rows of `width` floats, for the columns of one thread.
// `b_rows` gives rows by pointer, `b` densely. Chunks of kChunk rows keep the rounding small, as in the
// products.
struct ColumnSums {
  int N, width;
  const float* a;
  std::ptrdiff_t a_stride;
  const float* b;
  std::ptrdiff_t b_stride;
  const float* const* b_rows;
  float* y;
};

static void column_sums_share(void* data, int index, int count) {
  const ColumnSums& sums = *static_cast<const ColumnSums*>(data);
  int first, last;
  share((sums.width + kWidth - 1) / kWidth, index, count, &first, &last);
  for (int block = first; block < last; block++) {
    const int j = block * kWidth, n = sums.width - j;
    for (int n0 = 0; n0 < sums.N; n0 += kChunk) {
      const int n1 = n0 + kChunk < sums.N ? n0 + kChunk : sums.N;
      V sum = zero();
      for (int row = n0; row < n1; row++) {
        const V a = load(sums.a + row * sums.a_stride + j, n);
        if (sums.b_rows != nullptr) {
          sum = fma(a, load(sums.b_rows[row] + j, n), sum);
        } else {
          sum = sums.b != nullptr ? fma(a, load(sums.b + row * sums.b_stride + j, n), sum) : add(sum, a);
        }
      }
      store(sums.y + j, add(load(sums.y + j, n), sum), n);
    }
  }
}

static void column_sums(const Context& context, ColumnSums sums) {
  if (sums.y == nullptr) return;
  const double work = static_cast<double>(sums.N) * sums.width * 4;
  context.pool->run(useful_threads(context, work), column_sums_share, &sums);
}

// y[f] += Σ_n x[n][f]
static void sum_rows(const Context& context, int N, int F, const float* x, float* y) {
  column_sums(context, {N, F, x, F, nullptr, 0, nullptr, y});
}

// Elements whose sum one thread takes at a time.
constexpr int kReductionChunk = 4096;

struct ReductionRun {
  Reduction kind;
  std::size_t n;
  const float* x;
  double* results;  // [chunks]
};

// Magnitudes are ordered as their bits are, and NaN comes after infinity: the largest one is a NaN if there
// is any.
static double largest_magnitude(const float* x, int n) {
  std::uint32_t largest = 0;
  for (int i = 0; i < n; i++) {
    std::uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  float magnitude;
  std::memcpy(&magnitude, &largest, sizeof magnitude);
  return magnitude;
}

static int reduction_chunks(std::size_t n) {
  return static_cast<int>((n + kReductionChunk - 1) / kReductionChunk);
}

static void reduce_share(void* data, int index, int count) {
  const ReductionRun& run = *static_cast<const ReductionRun*>(data);
  int first, last;
  share(reduction_chunks(run.n), index, count, &first, &last);
  for (int chunk = first; chunk < last; chunk++) {
    const std::size_t start = static_cast<std::size_t>(chunk) * kReductionChunk;
    const float* x = run.x + start;
    const int n = run.n - start < kReductionChunk ? static_cast<int>(run.n - start) : kReductionChunk;
    switch (run.kind) {
      case Reduction::sum:
        run.results[chunk] = sum_of(Values{x}, n);
        break;
      case Reduction::max_abs:
        run.results[chunk] = largest_magnitude(x, n);
        break;
    }
  }
}

static double reduce(const Context& context, Reduction kind, std::size_t n, const float* x) {
  const int chunks = reduction_chunks(n);
  ReductionRun run = {kind, n, x, context.arena->take<double>(chunks)};
  context.pool->run(useful_threads(context, static_cast<double>(n) * 8), reduce_share, &run);
  double result = 0;
  for (int chunk = 0; chunk < chunks; chunk++) {
    const double part = run.results[chunk];
    if (kind != Reduction::max_abs) {
      result += part;
    } else if (part > result || part != part) {
      result = part;
    }
  }
  return result;
}

struct SquaresRun {
  const Span* arrays;
  std::size_t count;
  int chunks;
  double* results;  // [chunks], those of the first array first
};

static void squares_share(void* data, int index, int count) {
  const SquaresRun& run = *static_cast<const SquaresRun*>(data);
  int first, last, chunk = 0;
  share(run.chunks, index, count, &first, &last);
  for (std::size_t i = 0; i < run.count && chunk < last; i++) {
    const Span& array = run.arrays[i];
    for (std::size_t start = 0; start < array.n; start += kReductionChunk, chunk++) {
      if (chunk < first || chunk >= last) continue;
      const std::size_t n = array.n - start < kReductionChunk ? array.n - start : kReductionChunk;
      run.results[chunk] = sum_of(Squares{array.x + start, 0}, static_cast<int>(n));
    }
  }
}

// Every array has its own sum: the bits are the same however the arrays lie in memory.
static double sum_of_squares(const Context& context, const Span* arrays, std::size_t count) {
  SquaresRun run = {arrays, count, 0, nullptr};
  std::size_t elements = 0;
  for (std::size_t i = 0; i < count; i++) {
    run.chunks += reduction_chunks(arrays[i].n);
    elements += arrays[i].n;
  }
  run.results = context.arena->take<double>(run.chunks);
  context.pool->run(useful_threads(context, static_cast<double>(elements) * 8), squares_share, &run);
  double result = 0;
  const double* chunk = run.results;
  for (std::size_t i = 0; i < count; i++) {
    double sum = 0;
    for (int left = reduction_chunks(arrays[i].n); left > 0; left--) sum += *chunk++;
    result += sum;
  }
  return result;
}

}  // namespace lstm_native::LSTM_TARGET
