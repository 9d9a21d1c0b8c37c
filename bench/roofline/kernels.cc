// The two loops of the roofline, width-agnostic: multiply-adds in registers, and reads of a buffer. Compiled
// once a target with the flags of that target (see roofline.ts); roofline.cc calls only those the CPU can
// run.
#include "kernels.h"

#if LANES == 1
using Vector = float;
#else
using Vector = float __attribute__((vector_size(LANES * sizeof(float))));
#endif

// Latency times throughput of the widest cores is 8 to 10 chains; what is left of the registers holds the
// operands.
constexpr int kChains = REGISTERS == 32 ? 24 : 12;
constexpr int kLoads = 8;

static float keep(const Vector* sums, int count) {
  volatile float sink = 0;
  for (int k = 0; k < count; k++) sink = sink + reinterpret_cast<const float*>(sums)[k * LANES];
  return sink;
}

static double fma(long steps) {
  Vector sums[kChains];
  for (int k = 0; k < kChains; k++) sums[k] = Vector{} + static_cast<float>(k);
  // Neither constant is known to the compiler, and the sums tend to 1, far from denormals.
  volatile float near_one = 0.999F, rest = 0.001F;
  const Vector factor = Vector{} + near_one, addend = Vector{} + rest;
  for (long step = 0; step < steps; step++) {
#pragma GCC unroll 24
    for (int k = 0; k < kChains; k++) sums[k] = sums[k] * factor + addend;
  }
  keep(sums, kChains);
  return 2.0 * LANES * kChains * static_cast<double>(steps);
}

static double read(const float* buffer, long floats, long passes) {
  const Vector* data = reinterpret_cast<const Vector*>(buffer);
  const long vectors = floats / LANES / kLoads * kLoads;
  Vector sums[kLoads] = {};
  for (long pass = 0; pass < passes; pass++) {
    for (long i = 0; i < vectors; i += kLoads) {
#pragma GCC unroll 8
      for (int k = 0; k < kLoads; k++) sums[k] += data[i + k];
    }
  }
  keep(sums, kLoads);
  return sizeof(Vector) * static_cast<double>(vectors) * static_cast<double>(passes);
}

extern const Kernels KERNELS;
const Kernels KERNELS = {fma, read};
