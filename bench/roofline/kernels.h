// What one target's build of kernels.cc offers. Both functions return the amount of work they did.
#pragma once

struct Kernels {
  double (*fma)(long steps);                                      // floating-point operations
  double (*read)(const float* buffer, long floats, long passes);  // bytes
};
