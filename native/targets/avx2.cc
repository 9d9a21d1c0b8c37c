// The AVX2 and FMA build of the kernels.
#include "prelude.h"

#if defined(__x86_64__)
#define LSTM_TARGET avx2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2")
#endif
#include "../simd/avx2.h"
#include "kernels.inl.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

namespace lstm_native {

const Kernels* avx2_kernels() {
#if defined(__x86_64__)
  return &avx2::kTable;
#else
  return nullptr;
#endif
}

}  // namespace lstm_native
