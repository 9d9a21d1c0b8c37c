// AVX-512 (F, DQ, BW, VL) bricks: 16 floats. Included by targets/avx512.cc only, inside its target region.
// Every simd header defines the same names; what an operation does is said once, in scalar.h.
#pragma once

namespace lstm_native::avx512 {

constexpr int kWidth = 16;
constexpr int kRows =
    6;  // rows of a register tile: 6 x 4 accumulators, 4 weights and a broadcast fill 32 registers
using V = __m512;
using Mask = __mmask16;
// The forms without a mask are written with an undefined operand in g++ 12's headers, which it then warns of.
constexpr Mask kAll = 0xffff;

BRICK Mask first_lanes(int n) { return n >= kWidth ? kAll : Mask((1u << (n < 0 ? 0 : n)) - 1); }
BRICK V zero() { return _mm512_setzero_ps(); }
BRICK V set(float x) { return _mm512_set1_ps(x); }
BRICK V load(const float* p) { return _mm512_loadu_ps(p); }
BRICK V load(const float* p, int n) {
  return n >= kWidth ? load(p) : _mm512_maskz_loadu_ps(first_lanes(n), p);
}
BRICK void store(float* p, V v) { _mm512_storeu_ps(p, v); }
// Whole vectors unmasked: a masked store, even of all lanes, costs AMD's cores several times a plain one.
BRICK void store(float* p, V v, int n) {
  if (n >= kWidth) {
    store(p, v);
  } else {
    _mm512_mask_storeu_ps(p, first_lanes(n), v);
  }
}
BRICK V add(V a, V b) { return _mm512_add_ps(a, b); }
BRICK V sub(V a, V b) { return _mm512_sub_ps(a, b); }
BRICK V mul(V a, V b) { return _mm512_mul_ps(a, b); }
BRICK V div(V a, V b) { return _mm512_div_ps(a, b); }
BRICK V sqrt(V a) { return _mm512_maskz_sqrt_ps(kAll, a); }
BRICK V min(V a, V b) { return _mm512_maskz_min_ps(kAll, a, b); }
BRICK V max(V a, V b) { return _mm512_maskz_max_ps(kAll, a, b); }
BRICK V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
BRICK V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
BRICK V abs(V a) { return _mm512_andnot_ps(set(-0.0f), a); }
BRICK V copysign(V magnitude, V sign) {
  return _mm512_or_ps(abs(magnitude), _mm512_and_ps(set(-0.0f), sign));
}
BRICK V round(V a) {
  return _mm512_maskz_roundscale_ps(kAll, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
BRICK V scale(V a, V n) { return _mm512_maskz_scalef_ps(kAll, a, n); }
BRICK Mask less(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
BRICK Mask is_nan(V a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
BRICK V select(Mask mask, V yes, V no) { return _mm512_mask_blend_ps(mask, no, yes); }
BRICK float sum(V a) {
  alignas(64) float lanes[kWidth];
  _mm512_store_ps(lanes, a);
  const __m256 half = _mm256_add_ps(_mm256_load_ps(lanes), _mm256_load_ps(lanes + 8));
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

constexpr int kDoubles = 8;
using D = __m512d;
constexpr __mmask8 kAllDoubles = 0xff;

BRICK D set(double x) { return _mm512_set1_pd(x); }
BRICK D load(const double* p) { return _mm512_loadu_pd(p); }
BRICK void store(double* p, D v) { _mm512_storeu_pd(p, v); }
BRICK D add(D a, D b) { return _mm512_add_pd(a, b); }
BRICK D sub(D a, D b) { return _mm512_sub_pd(a, b); }
BRICK D mul(D a, D b) { return _mm512_mul_pd(a, b); }
BRICK D div(D a, D b) { return _mm512_div_pd(a, b); }
BRICK D sqrt(D a) { return _mm512_maskz_sqrt_pd(kAllDoubles, a); }
BRICK D min(D a, D b) { return _mm512_maskz_min_pd(kAllDoubles, a, b); }
BRICK D max(D a, D b) { return _mm512_maskz_max_pd(kAllDoubles, a, b); }
BRICK D fma(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }
BRICK D fnma(D a, D b, D c) { return _mm512_fnmadd_pd(a, b, c); }
BRICK D abs(D a) { return _mm512_andnot_pd(set(-0.0), a); }
BRICK D round(D a) {
  return _mm512_maskz_roundscale_pd(kAllDoubles, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
BRICK D scale(D a, D n) { return _mm512_maskz_scalef_pd(kAllDoubles, a, n); }
BRICK __mmask8 less(D a, D b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
BRICK D select(__mmask8 mask, D yes, D no) { return _mm512_mask_blend_pd(mask, no, yes); }
BRICK D split(D x, D* n) {
  const __m512i bits = _mm512_castpd_si512(x);
  const __m512i carried = _mm512_add_epi64(bits, _mm512_set1_epi64(0x00095f619980c433));
  const __m512i biased = _mm512_maskz_srli_epi64(kAllDoubles, carried, 52);
  *n = sub(_mm512_maskz_cvtepi64_pd(kAllDoubles, biased), set(1023.0));
  const __m512i exponent = _mm512_maskz_slli_epi64(kAllDoubles, biased, 52);
  return _mm512_castsi512_pd(
      _mm512_add_epi64(_mm512_sub_epi64(bits, exponent), _mm512_castpd_si512(set(1.0))));
}

}  // namespace lstm_native::avx512
