// The tests' own tools: TEST defines a test, expect() states a fact, Random fills arrays, and the rest
// compares them with what loops in double precision say. main.cc runs the tests.
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "../arena.h"
#include "../kernels.h"
#include "../thread_pool.h"

namespace lstm_native::test {

struct Test {
  const char* sentence;
  void (*run)();
};

std::vector<Test>& tests();

struct Registration {
  Registration(const char* sentence, void (*run)()) { tests().push_back({sentence, run}); }
};

// States a fact; a false one fails the test, says what is wrong and lets the test go on.
__attribute__((format(printf, 2, 3))) bool expect(bool fact, const char* format, ...);

// Whether the run was asked for every case, not a sample (--exhaustive).
bool exhaustive();

// The tables of the targets that this CPU runs, the scalar one first.
const std::vector<const Kernels*>& targets();

using Floats = std::vector<float>;

// Numbers in [-1, 1) from a linear congruential generator (Knuth's MMIX constants): the same in every run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t bits() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
  float number() { return static_cast<float>(bits() >> 8) / (1 << 23) - 1.0f; }
  int below(int bound) { return static_cast<int>(bits() % static_cast<std::uint32_t>(bound)); }
  Floats numbers(std::size_t count) {
    Floats values(count);
    for (float& value : values) value = number();
    return values;
  }

 private:
  std::uint64_t state_;
};

// What kernels run on: scratch of its own, the process's pool.
class Machine {
 public:
  explicit Machine(int threads = 1, Sharing sharing = Sharing::automatic)
      : context_{&arena_, &ThreadPool::instance(), threads, sharing} {}
  const Context& context() {
    arena_.reset();
    return context_;
  }

 private:
  Arena arena_;
  Context context_;
};

// |actual - expected| / |expected| in the Euclidean norm; the norm of the difference where all is expected to
// be 0.
inline double norm_error(const Floats& actual, const std::vector<double>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); i++) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

// Single precision's unit roundoff times what sums of K products in any order may lose, in the norm.
inline double sum_bound(double K) { return 4 * std::fmax(1, std::ceil(std::log2(K))) * 0x1p-23; }

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace lstm_native::test

#define LSTM_TEST_JOIN(a, b) a##b
#define LSTM_TEST_AT(sentence, line)                                                  \
  static void LSTM_TEST_JOIN(test_, line)();                                          \
  static const ::lstm_native::test::Registration LSTM_TEST_JOIN(registration_, line)( \
      sentence, &LSTM_TEST_JOIN(test_, line));                                        \
  static void LSTM_TEST_JOIN(test_, line)()
#define TEST(sentence) LSTM_TEST_AT(sentence, __LINE__)
