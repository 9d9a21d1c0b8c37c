// The bricks the kernels are written with, here one float wide: the meaning of each, and what runs where
// there is nothing wider. avx2.h, avx512.h and neon.h define the same names in namespaces of their own.
#pragma once

namespace lstm_native::scalar {

constexpr int kWidth = 1;  // floats in a V
constexpr int kRows = 2;   // rows of the register tile of native/gemm/tile.h
using V = float;
using Mask = bool;

BRICK V zero() { return 0; }
BRICK V set(float x) { return x; }
BRICK V load(const float* p) { return *p; }
BRICK V load(const float* p, int n) {
  return n > 0 ? *p : 0;
}  // the first n lanes, the others zero; n may exceed kWidth
BRICK void store(float* p, V v) { *p = v; }
BRICK void store(float* p, V v, int n) {  // the first n lanes only
  if (n > 0) *p = v;
}
BRICK V add(V a, V b) { return a + b; }
BRICK V sub(V a, V b) { return a - b; }
BRICK V mul(V a, V b) { return a * b; }
BRICK V div(V a, V b) { return a / b; }
BRICK V sqrt(V a) { return __builtin_sqrtf(a); }
BRICK V min(V a, V b) { return a < b ? a : b; }    // b if either is NaN
BRICK V max(V a, V b) { return a > b ? a : b; }    // b if either is NaN
BRICK V fma(V a, V b, V c) { return a * b + c; }   // c + a·b, rounded once where the CPU can
BRICK V fnma(V a, V b, V c) { return c - a * b; }  // c - a·b, likewise
BRICK V abs(V a) { return __builtin_fabsf(a); }
BRICK V copysign(V magnitude, V sign) { return __builtin_copysignf(magnitude, sign); }
BRICK V round(V a) {  // to the nearest integer, for |a| < 2^22: adding 1.5·2^23 leaves no room for a fraction
  const float magic = 12582912.0f;
  return (a + magic) - magic;
}
BRICK V scale(V a, V n) {  // a·2^n for integral n in [-252, 254], even where 2^n is no float
  const int whole = n > -300 && n < 300 ? static_cast<int>(n) : 0;  // NaN comes through in a
  const int half = whole >> 1;
  float low, high;
  const std::uint32_t low_bits = static_cast<std::uint32_t>(half + 127) << 23;
  const std::uint32_t high_bits = static_cast<std::uint32_t>(whole - half + 127) << 23;
  std::memcpy(&low, &low_bits, sizeof low);
  std::memcpy(&high, &high_bits, sizeof high);
  return a * low * high;
}
BRICK Mask less(V a, V b) { return a < b; }
BRICK Mask is_nan(V a) { return a != a; }
BRICK V select(Mask mask, V yes, V no) { return mask ? yes : no; }
BRICK float sum(V a) { return a; }  // of all lanes, in a fixed order

}  // namespace lstm_native::scalar
