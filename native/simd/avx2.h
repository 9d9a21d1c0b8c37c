// AVX2 and FMA bricks: 8 floats. Included by targets/avx2.cc only, inside its target region. See scalar.h.
#pragma once

namespace lstm_native::avx2 {

constexpr int kWidth = 8;
constexpr int kRows = 3;  // 3 x 4 accumulators, 3 broadcasts and a weight fill 16 registers
using V = __m256;
using Mask = __m256;

BRICK __m256i lane_mask(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
BRICK V zero() { return _mm256_setzero_ps(); }
BRICK V set(float x) { return _mm256_set1_ps(x); }
BRICK V load(const float* p) { return _mm256_loadu_ps(p); }
BRICK V load(const float* p, int n) { return _mm256_maskload_ps(p, lane_mask(n)); }
BRICK void store(float* p, V v) { _mm256_storeu_ps(p, v); }
BRICK void store(float* p, V v, int n) {
  // Masked stores are microcode on AMD's CPUs: some 20 cycles, for what is mostly a whole vector.
  if (n >= kWidth) return store(p, v);
  _mm256_maskstore_ps(p, lane_mask(n), v);
}
BRICK V add(V a, V b) { return _mm256_add_ps(a, b); }
BRICK V sub(V a, V b) { return _mm256_sub_ps(a, b); }
BRICK V mul(V a, V b) { return _mm256_mul_ps(a, b); }
BRICK V div(V a, V b) { return _mm256_div_ps(a, b); }
BRICK V sqrt(V a) { return _mm256_sqrt_ps(a); }
BRICK V min(V a, V b) { return _mm256_min_ps(a, b); }
BRICK V max(V a, V b) { return _mm256_max_ps(a, b); }
BRICK V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
BRICK V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
BRICK V abs(V a) { return _mm256_andnot_ps(set(-0.0f), a); }
BRICK V copysign(V magnitude, V sign) {
  return _mm256_or_ps(abs(magnitude), _mm256_and_ps(set(-0.0f), sign));
}
BRICK V round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
BRICK V scale(V a, V n) {
  // In two halves, so that 2^n may be beyond the exponent range where a·2^n is not.
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i high = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return mul(mul(a, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high));
}
BRICK Mask less(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
BRICK Mask is_nan(V a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
BRICK V select(Mask mask, V yes, V no) { return _mm256_blendv_ps(no, yes, mask); }
BRICK float sum(V a) {
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

constexpr int kDoubles = 4;
using D = __m256d;

BRICK D set(double x) { return _mm256_set1_pd(x); }
BRICK D load(const double* p) { return _mm256_loadu_pd(p); }
BRICK void store(double* p, D v) { _mm256_storeu_pd(p, v); }
BRICK D add(D a, D b) { return _mm256_add_pd(a, b); }
BRICK D sub(D a, D b) { return _mm256_sub_pd(a, b); }
BRICK D mul(D a, D b) { return _mm256_mul_pd(a, b); }
BRICK D div(D a, D b) { return _mm256_div_pd(a, b); }
BRICK D sqrt(D a) { return _mm256_sqrt_pd(a); }
BRICK D min(D a, D b) { return _mm256_min_pd(a, b); }
BRICK D max(D a, D b) { return _mm256_max_pd(a, b); }
BRICK D fma(D a, D b, D c) { return _mm256_fmadd_pd(a, b, c); }
BRICK D fnma(D a, D b, D c) { return _mm256_fnmadd_pd(a, b, c); }
BRICK D abs(D a) { return _mm256_andnot_pd(set(-0.0), a); }
BRICK D round(D a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
BRICK D scale(D a, D n) {
  const __m128i whole = _mm256_cvtpd_epi32(n);
  const __m128i half = _mm_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi64x(1023);
  const __m256i low = _mm256_slli_epi64(_mm256_add_epi64(_mm256_cvtepi32_epi64(half), bias), 52);
  const __m256i rest = _mm256_cvtepi32_epi64(_mm_sub_epi32(whole, half));
  const __m256i high = _mm256_slli_epi64(_mm256_add_epi64(rest, bias), 52);
  return mul(mul(a, _mm256_castsi256_pd(low)), _mm256_castsi256_pd(high));
}
BRICK D less(D a, D b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
BRICK D select(D mask, D yes, D no) { return _mm256_blendv_pd(no, yes, mask); }
BRICK D split(D x, D* n) {
  const __m256i bits = _mm256_castpd_si256(x);
  const __m256i carried = _mm256_add_epi64(bits, _mm256_set1_epi64x(0x00095f619980c433));
  // 2^52 + k is the double with k as its last bits.
  const __m256i power = _mm256_or_si256(_mm256_srli_epi64(carried, 52), _mm256_castpd_si256(set(0x1p52)));
  *n = sub(_mm256_castsi256_pd(power), set(0x1p52 + 1023));
  const __m256i exponent = _mm256_slli_epi64(_mm256_srli_epi64(carried, 52), 52);
  return _mm256_castsi256_pd(
      _mm256_add_epi64(_mm256_sub_epi64(bits, exponent), _mm256_castpd_si256(set(1.0))));
}

}  // namespace lstm_native::avx2
