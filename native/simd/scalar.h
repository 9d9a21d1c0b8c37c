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

// The same of doubles, for sums whose terms cancel more digits than a float has.
constexpr int kDoubles = 1;  // doubles in a D
using D = double;

BRICK D set(double x) { return x; }
BRICK D load(const double* p) { return *p; }
BRICK void store(double* p, D v) { *p = v; }
BRICK D add(D a, D b) { return a + b; }
BRICK D sub(D a, D b) { return a - b; }
BRICK D mul(D a, D b) { return a * b; }
BRICK D div(D a, D b) { return a / b; }
BRICK D sqrt(D a) { return __builtin_sqrt(a); }
BRICK D min(D a, D b) { return a < b ? a : b; }
BRICK D max(D a, D b) { return a > b ? a : b; }
BRICK D fma(D a, D b, D c) { return a * b + c; }
BRICK D fnma(D a, D b, D c) { return c - a * b; }
BRICK D abs(D a) { return __builtin_fabs(a); }
BRICK D round(D a) {  // for |a| < 2^51
  const double magic = 6755399441055744.0;
  return (a + magic) - magic;
}
BRICK D scale(D a, D n) {  // for integral n in [-2044, 2046]
  const int whole = n > -2100 && n < 2100 ? static_cast<int>(n) : 0;
  const int half = whole >> 1;
  double low, high;
  const std::uint64_t low_bits = static_cast<std::uint64_t>(half + 1023) << 52;
  const std::uint64_t high_bits = static_cast<std::uint64_t>(whole - half + 1023) << 52;
  std::memcpy(&low, &low_bits, sizeof low);
  std::memcpy(&high, &high_bits, sizeof high);
  return a * low * high;
}
BRICK bool less(D a, D b) { return a < b; }
BRICK D select(bool mask, D yes, D no) { return mask ? yes : no; }
// x = f·2^n with f in [√½, √2), for x from 2^-1022 on, infinity and NaN left out: adding to the bits of x
// what those of √½ lack to 1 carries into the exponent where f would reach √2.
BRICK D split(D x, D* n) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint64_t carried = bits + 0x00095f619980c433u;
  *n = static_cast<double>(carried >> 52) - 1023;
  bits += 0x3ff0000000000000u - (carried & 0xfff0000000000000u);
  double f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

}  // namespace lstm_native::scalar
