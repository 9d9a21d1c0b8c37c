// Linear layers and embeddings: products of gemm.h, and rows copied and added by index.
#pragma once

namespace lstm_native::LSTM_TARGET {

// y = x·Wᵀ + b. The product is added to the bias, so that a row's bits are its own.
static void linear_forward(const Context& context, const LinearArgs& args) {
  if (args.bias != nullptr) {
    for (std::ptrdiff_t n = 0; n < args.N; n++) {
      std::memcpy(args.y + n * args.O, args.bias, sizeof(float) * args.O);
    }
  }
  Product p = {};
  p.M = args.N;
  p.N = args.O;
  p.K = args.I;
  p.a_rows = row_pointers(context, args.x, args.I, args.N);
  p.b_packed = args.packed;
  p.b_transposed = args.weight;
  p.ldb = args.I;
  p.c_rows = row_pointers(context, args.y, args.O, args.N);
  p.accumulate = args.bias != nullptr;
  multiply(context, p);
}

static std::size_t linear_packed_length(int I, int O) { return packed_b_length(I, O); }

static void linear_pack(int I, int O, const float* weight, float* packed) {
  Product p = {};
  p.N = O;
  p.K = I;
  p.b_transposed = weight;
  p.ldb = I;
  pack_b(p, packed);
}

static void linear_backward(const Context& context, const LinearArgs& args) {
  if (args.dx != nullptr) {
    Product p = {};
    p.M = args.N;
    p.N = args.I;
    p.K = args.O;
    p.a_rows = row_pointers(context, args.dy, args.O, args.N);
    p.b_rows = row_pointers(context, args.weight, args.I, args.O);
    p.c_rows = row_pointers(context, args.dx, args.I, args.N);
    p.accumulate = true;
    multiply(context, p);
  }
  if (args.dweight != nullptr) {
    const float* const* rows = row_pointers(context, args.x, args.I, args.N);
    weight_gradient(context, args.O, args.I, args.N, args.dy, rows, args.dweight);
  }
  sum_rows(context, args.N, args.O, args.dy, args.dbias);
}

static void embedding_forward_share(void* data, int index, int count) {
  const EmbeddingArgs& args = *static_cast<const EmbeddingArgs*>(data);
  const std::ptrdiff_t E = args.E;
  int first, last;
  share(args.N, index, count, &first, &last);
  for (std::ptrdiff_t n = first; n < last; n++) {
    std::memcpy(args.y + n * E, args.weight + args.indices[n] * E, sizeof(float) * E);
  }
}

static void embedding_forward(const Context& context, const EmbeddingArgs& args) {
  EmbeddingArgs run = args;
  const double work = static_cast<double>(args.N) * args.E * kCheap;
  context.pool->run(useful_threads(context, work), embedding_forward_share, &run);
}

// Shared out by columns: every thread sees all indices, in order.
static void embedding_backward_share(void* data, int index, int count) {
  const EmbeddingArgs& args = *static_cast<const EmbeddingArgs*>(data);
  const std::ptrdiff_t E = args.E;
  int first, last;
  share(args.E, index, count, &first, &last);
  const V one = set(1.0f);
  for (std::ptrdiff_t n = 0; n < args.N; n++) {
    each_vector(ScaledAddition{one, args.dy + n * E, args.dweight + args.indices[n] * E}, first, last);
  }
}

static void embedding_backward(const Context& context, const EmbeddingArgs& args) {
  EmbeddingArgs run = args;
  const double work = static_cast<double>(args.N) * args.E * kCheap;
  context.pool->run(useful_threads(context, work), embedding_backward_share, &run);
}

}  // namespace lstm_native::LSTM_TARGET
