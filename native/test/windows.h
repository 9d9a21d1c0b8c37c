// What the tests of convolutions and pools along one axis and two share.
#pragma once
#include "check.h"

namespace lstm_native::test {

using Doubles = std::vector<double>;

inline Doubles widen(const Floats& values) { return Doubles(values.begin(), values.end()); }

// Windows of any kind over at most `steps` steps, of at most `size`, padding below `before` and on the other
// side.
inline Windows any_windows(Random& random, int steps, int size, int before) {
  Windows w = {};
  w.T = 1 + random.below(steps);
  w.S = 1 + random.below(steps);
  w.size = 1 + random.below(size);
  w.stride = 1 + random.below(3);
  w.dilation = 1 + random.below(3);
  w.before = random.below(before);
  return w;
}

// The step that window s reads at k; outside [0, T) it is padding.
inline int step_of(const Windows& w, int s, int k) { return s * w.stride - w.before + k * w.dilation; }

// Sums of K products.
inline void check(const Kernels* kernels, const char* what, int turn, const Floats& actual,
                  const Doubles& expected, double K) {
  const double error = norm_error(actual, expected);
  expect(error <= sum_bound(K), "%s: %s of turn %d: error %.2g, bound %.2g", kernels->name, what, turn, error,
         sum_bound(K));
}

}  // namespace lstm_native::test
