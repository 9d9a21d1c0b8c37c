// AArch64 NEON bricks: 4 floats. Included by targets/neon.cc only. See scalar.h.
#pragma once

namespace lstm_native::neon {

constexpr int kWidth = 4;
constexpr int kRows = 6;  // 6 x 4 accumulators, 4 weights and broadcasts fill 32 registers
using V = float32x4_t;
using Mask = uint32x4_t;

BRICK V zero() { return vdupq_n_f32(0); }
BRICK V set(float x) { return vdupq_n_f32(x); }
BRICK V load(const float* p) { return vld1q_f32(p); }
BRICK V load(const float* p, int n) {
  if (n >= kWidth) return load(p);
  float lanes[kWidth] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return load(lanes);
}
BRICK void store(float* p, V v) { vst1q_f32(p, v); }
BRICK void store(float* p, V v, int n) {
  if (n >= kWidth) return store(p, v);
  float lanes[kWidth];
  store(lanes, v);
  for (int i = 0; i < n; i++) p[i] = lanes[i];
}
BRICK V add(V a, V b) { return vaddq_f32(a, b); }
BRICK V sub(V a, V b) { return vsubq_f32(a, b); }
BRICK V mul(V a, V b) { return vmulq_f32(a, b); }
BRICK V div(V a, V b) { return vdivq_f32(a, b); }
BRICK V sqrt(V a) { return vsqrtq_f32(a); }
BRICK Mask less(V a, V b) { return vcltq_f32(a, b); }
BRICK Mask is_nan(V a) { return vmvnq_u32(vceqq_f32(a, a)); }
BRICK V select(Mask mask, V yes, V no) { return vbslq_f32(mask, yes, no); }
BRICK V min(V a, V b) { return select(less(a, b), a, b); }
BRICK V max(V a, V b) { return select(less(b, a), a, b); }
BRICK V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
BRICK V fnma(V a, V b, V c) { return vfmsq_f32(c, a, b); }
BRICK V abs(V a) { return vabsq_f32(a); }
BRICK V copysign(V magnitude, V sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude); }
BRICK V round(V a) { return vrndnq_f32(a); }
BRICK V scale(V a, V n) {
  // In two halves, so that 2^n may be beyond the exponent range where a·2^n is not.
  const int32x4_t whole = vcvtnq_s32_f32(n);
  const int32x4_t half = vshrq_n_s32(whole, 1);
  const int32x4_t bias = vdupq_n_s32(127);
  const int32x4_t low = vshlq_n_s32(vaddq_s32(half, bias), 23);
  const int32x4_t high = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
  return mul(mul(a, vreinterpretq_f32_s32(low)), vreinterpretq_f32_s32(high));
}
BRICK float sum(V a) { return vaddvq_f32(a); }

constexpr int kDoubles = 2;
using D = float64x2_t;

BRICK D set(double x) { return vdupq_n_f64(x); }
BRICK D load(const double* p) { return vld1q_f64(p); }
BRICK void store(double* p, D v) { vst1q_f64(p, v); }
BRICK D add(D a, D b) { return vaddq_f64(a, b); }
BRICK D sub(D a, D b) { return vsubq_f64(a, b); }
BRICK D mul(D a, D b) { return vmulq_f64(a, b); }
BRICK D div(D a, D b) { return vdivq_f64(a, b); }
BRICK D sqrt(D a) { return vsqrtq_f64(a); }
BRICK uint64x2_t less(D a, D b) { return vcltq_f64(a, b); }
BRICK D select(uint64x2_t mask, D yes, D no) { return vbslq_f64(mask, yes, no); }
BRICK D min(D a, D b) { return select(less(a, b), a, b); }
BRICK D max(D a, D b) { return select(less(b, a), a, b); }
BRICK D fma(D a, D b, D c) { return vfmaq_f64(c, a, b); }
BRICK D fnma(D a, D b, D c) { return vfmsq_f64(c, a, b); }
BRICK D abs(D a) { return vabsq_f64(a); }
BRICK D round(D a) { return vrndnq_f64(a); }
BRICK D scale(D a, D n) {
  const int64x2_t whole = vcvtnq_s64_f64(n);
  const int64x2_t half = vshrq_n_s64(whole, 1);
  const int64x2_t bias = vdupq_n_s64(1023);
  const int64x2_t low = vshlq_n_s64(vaddq_s64(half, bias), 52);
  const int64x2_t high = vshlq_n_s64(vaddq_s64(vsubq_s64(whole, half), bias), 52);
  return mul(mul(a, vreinterpretq_f64_s64(low)), vreinterpretq_f64_s64(high));
}
BRICK D split(D x, D* n) {
  const uint64x2_t bits = vreinterpretq_u64_f64(x);
  const uint64x2_t biased = vshrq_n_u64(vaddq_u64(bits, vdupq_n_u64(0x00095f619980c433u)), 52);
  *n = sub(vcvtq_f64_u64(biased), set(1023.0));
  const uint64x2_t one = vreinterpretq_u64_f64(set(1.0));
  return vreinterpretq_f64_u64(vaddq_u64(vsubq_u64(bits, vshlq_n_u64(biased, 52)), one));
}

}  // namespace lstm_native::neon
