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

}  // namespace lstm_native::neon
