// The NEON build of the kernels: the baseline of AArch64.
#include "prelude.h"

#if defined(__aarch64__)
#define LSTM_TARGET neon
#include "../simd/neon.h"
#include "kernels.inl.h"
#endif

namespace lstm_native {

const Kernels* neon_kernels() {
#if defined(__aarch64__)
  return &neon::kTable;
#else
  return nullptr;
#endif
}

}  // namespace lstm_native
