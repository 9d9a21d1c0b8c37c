// The build of the kernels for any CPU.
#include "prelude.h"

#define LSTM_TARGET scalar
#include "../simd/scalar.h"
#include "kernels.inl.h"

namespace lstm_native {

const Kernels* scalar_kernels() { return &scalar::kTable; }

}  // namespace lstm_native
