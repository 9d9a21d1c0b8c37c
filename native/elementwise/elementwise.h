// How elementwise work is done: whole vectors, then the rest through partial loads, so that an element's bits
// do not depend on where it stands; blocks are shared out among the threads.
#pragma once

namespace lstm_native::LSTM_TARGET {

// A vector in memory of which all lanes, or the first n, are the operation's.
struct AllLanes {
  BRICK_MEMBER V get(const float* p) const { return load(p); }
  BRICK_MEMBER void put(float* p, V v) const { store(p, v); }
};

struct FirstLanes {
  int n;
  BRICK_MEMBER V get(const float* p) const { return load(p, n); }
  BRICK_MEMBER void put(float* p, V v) const { store(p, v, n); }
};

// Does the vectors of elements [first, last) by operation.at(i, lanes).
template <typename Operation>
BRICK void each_vector(const Operation& operation, std::size_t first, std::size_t last) {
  std::size_t i = first;
  for (; i + kWidth <= last; i += kWidth) operation.at(i, AllLanes{});
  if (i < last) operation.at(i, FirstLanes{static_cast<int>(last - i)});
}

// What an element costs, in the multiplications that useful_threads counts: reading and writing it, an
// activation of math/activations.h, a function of the C library.
constexpr double kCheap = 8, kActivation = 32, kLibrary = 1000;

constexpr std::size_t kBlock = 1024;  // elements

template <typename Operation>
struct ElementwiseRun {
  std::size_t n;
  Operation operation;
};

template <typename Operation>
static void elementwise_share(void* data, int index, int count) {
  const ElementwiseRun<Operation>& run = *static_cast<const ElementwiseRun<Operation>*>(data);
  int first, last;
  share(static_cast<int>((run.n + kBlock - 1) / kBlock), index, count, &first, &last);
  const std::size_t end = last * kBlock;
  const Operation operation =
      run.operation;  // a copy that no store can reach: its constants stay in registers
  each_vector(operation, first * kBlock, end < run.n ? end : run.n);
}

template <typename Operation>
static void elementwise(const Context& context, std::size_t n, double cost, Operation operation) {
  ElementwiseRun<Operation> run = {n, operation};
  const int threads = useful_threads(context, static_cast<double>(n) * cost);
  context.pool->run(threads, elementwise_share<Operation>, &run);
}

}  // namespace lstm_native::LSTM_TARGET
