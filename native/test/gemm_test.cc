// The matrix product on every target against loops in double precision.
#include "check.h"

namespace lstm_native::test {

namespace {
struct Product {
  int M, N, K;
  bool transpose_a, transpose_b, accumulate;
  int gap;  // floats between a row's end and the next row, in all three matrices
};

double check_product(const Kernels& kernels, const Product& p, Machine& machine, Floats* result = nullptr) {
  Random random(static_cast<std::uint64_t>(p.M * 131 + p.N * 17 + p.K));
  const int a_rows = p.transpose_a ? p.K : p.M, a_columns = p.transpose_a ? p.M : p.K;
  const int b_rows = p.transpose_b ? p.N : p.K, b_columns = p.transpose_b ? p.K : p.N;
  const int lda = a_columns + p.gap, ldb = b_columns + p.gap, ldc = p.N + p.gap;
  const auto length = [&](int rows, int columns, int ld) {
    return static_cast<std::size_t>((rows - 1) * ld + columns);
  };
  const Floats A = random.numbers(length(a_rows, a_columns, lda));
  const Floats B = random.numbers(length(b_rows, b_columns, ldb));
  const Floats before = random.numbers(length(p.M, p.N, ldc));
  Floats C = before;
  kernels.gemm(machine.context(), {p.M, p.N, p.K, A.data(), lda, B.data(), ldb, C.data(), ldc, p.transpose_a,
                                   p.transpose_b, p.accumulate});
  std::vector<double> expected(before.begin(), before.end());
  for (int m = 0; m < p.M; m++) {
    for (int n = 0; n < p.N; n++) {
      double sum = p.accumulate ? before[m * ldc + n] : 0;
      for (int k = 0; k < p.K; k++) {
        const double a = p.transpose_a ? A[k * lda + m] : A[m * lda + k];
        const double b = p.transpose_b ? B[n * ldb + k] : B[k * ldb + n];
        sum += a * b;
      }
      expected[m * ldc + n] = sum;
    }
  }
  for (int i = 0; i < static_cast<int>(C.size()); i++) {
    if (i % ldc >= p.N) expect(C[i] == before[i], "%s: gemm wrote past its row's end", kernels.name);
  }
  if (result) *result = C;
  return norm_error(C, expected);
}
}  // namespace

TEST("gemm equals the double product at awkward sizes, transposed or not, with gaps between rows") {
  const int sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129};
  Machine machine;
  for (const Kernels* kernels : targets()) {
    int turn = 0;
    for (int M : sizes) {
      for (int N : sizes) {
        // Every K meets every M and N over the transposes, and a run stays short under the sanitizers.
        const int K = sizes[(turn * 7) % 15];
        const Product p = {M, N, K, (turn & 1) != 0, (turn & 2) != 0, (turn & 4) != 0, turn % 3};
        const double error = check_product(*kernels, p, machine);
        expect(error <= sum_bound(K), "%s: M=%d N=%d K=%d %s%s%s: error %.2g, bound %.2g", kernels->name, M,
               N, K, p.transpose_a ? "Aᵀ" : "A", p.transpose_b ? "Bᵀ" : "B",
               p.accumulate ? " accumulated" : "", error, sum_bound(K));
        turn++;
      }
    }
  }
}

TEST("gemm keeps every bit from 1 to 4 threads") {
  for (const Kernels* kernels : targets()) {
    for (const Product& p :
         {Product{65, 127, 129, false, true, false, 0}, Product{33, 257, 31, false, false, true, 1},
          Product{300, 64, 700, true, false, true, 0}}) {
      Machine one(1);
      Floats alone;
      check_product(*kernels, p, one, &alone);
      for (int threads = 2; threads <= 4; threads++) {
        Machine several(threads);
        Floats shared;
        check_product(*kernels, p, several, &shared);
        expect(same_bits(alone, shared), "%s: M=%d N=%d K=%d: %d threads give other bits than one",
               kernels->name, p.M, p.N, p.K, threads);
      }
    }
  }
}

TEST("gemm with K = 0 gives zeros, or leaves C as it was when it accumulates") {
  Machine machine;
  for (const Kernels* kernels : targets()) {
    const float nothing = 0;
    Floats C = {1, 2, 3, 4, 5, 6};
    kernels->gemm(machine.context(), {2, 3, 0, &nothing, 1, &nothing, 3, C.data(), 3, false, false, true});
    expect(same_bits(C, {1, 2, 3, 4, 5, 6}), "%s: C changed", kernels->name);
    kernels->gemm(machine.context(), {2, 3, 0, &nothing, 1, &nothing, 3, C.data(), 3, false, false, false});
    expect(same_bits(C, {0, 0, 0, 0, 0, 0}), "%s: C is not zero", kernels->name);
  }
}

}  // namespace lstm_native::test
