// Many products of one shape. Threads share out whole products, each of which one thread computes as it would
// alone: an element's bits are those of `gemm`.
#pragma once

namespace lstm_native::LSTM_TARGET {

// One thread's product at a time.
struct BatchedWorker {
  Product product;
  ProductRun run;
  const float** a_rows;  // [M] where A comes by rows
  const float** b_rows;  // [K] likewise
  float** c_rows;        // [M]
};

struct BatchedRun {
  const BatchedGemmArgs* args;
  BatchedWorker* workers;
};

static void batched_gemm_share(void* data, int index, int count) {
  const BatchedRun& batch = *static_cast<const BatchedRun*>(data);
  const BatchedGemmArgs& args = *batch.args;
  BatchedWorker& mine = batch.workers[index];
  int first, last;
  share(args.batch, index, count, &first, &last);
  for (std::ptrdiff_t i = first; i < last; i++) {
    const float* A = args.A + i * args.M * args.K;
    const float* B = args.B + i * args.K * args.N;
    float* C = args.C + i * args.M * args.N;
    for (int m = 0; m < args.M; m++) mine.c_rows[m] = C + m * args.ldc;
    mine.product.a_transposed = args.transpose_a ? A : nullptr;
    for (int m = 0; m < args.M && !args.transpose_a; m++) mine.a_rows[m] = A + m * args.lda;
    mine.product.b_transposed = args.transpose_b ? B : nullptr;
    for (int k = 0; k < args.K && !args.transpose_b; k++) mine.b_rows[k] = B + k * args.ldb;
    product_share(&mine.run, 0, 1);
  }
}

static void batched_gemm(const Context& context, const BatchedGemmArgs& args) {
  if (args.M == 0 || args.N == 0 || args.batch == 0) return;
  if (args.K == 0) {
    const std::size_t length = static_cast<std::size_t>(args.batch) * args.M * args.N;
    if (!args.accumulate) std::memset(args.C, 0, sizeof(float) * length);
    return;
  }
  const int threads = useful_threads(context, static_cast<double>(args.batch) * args.M * args.N * args.K);
  Arena& arena = *context.arena;
  BatchedRun run = {&args, arena.take<BatchedWorker>(threads)};
  const std::size_t blocks = (args.M + kRows - 1) / kRows;
  const int longest = args.K < kChunk ? args.K : kChunk;
  for (int i = 0; i < threads; i++) {
    BatchedWorker& worker = *new (run.workers + i) BatchedWorker();
    worker.c_rows = arena.take<float*>(args.M);
    Product& p = worker.product;
    p.M = args.M;
    p.N = args.N;
    p.K = args.K;
    p.accumulate = args.accumulate;
    p.c_rows = worker.c_rows;
    if (args.transpose_a) {
      p.lda = args.lda;
      worker.run.a_blocks = arena.take<float>(blocks * kChunk * kRows);
    } else {
      p.a_rows = worker.a_rows = arena.take<const float*>(args.M);
    }
    if (args.transpose_b) {
      p.ldb = args.ldb;
    } else {
      p.b_rows = worker.b_rows = arena.take<const float*>(args.K);
    }
    worker.run.b_panels = arena.take<float>(packed_b_length(longest, args.N));
    worker.run.product = &p;
  }
  context.pool->run(threads, batched_gemm_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
