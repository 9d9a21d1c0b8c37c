// The AVX-512 build of the kernels.
#include "prelude.h"

#if defined(__x86_64__)
#define LSTM_TARGET avx512
#if defined(__clang__)
#pragma clang attribute push(                                                             \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,bmi,bmi2"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,bmi,bmi2")
#endif
#include "../simd/avx512.h"
#include "kernels.inl.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

namespace lstm_native {

const Kernels* avx512_kernels() {
#if defined(__x86_64__)
  return &avx512::kTable;
#else
  return nullptr;
#endif
}

}  // namespace lstm_native
