// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sixteen fp32 lanes: one zmm register on x86-64-v4, two ymm registers on x86-64-v3. For kernel
// files only; they are compiled once per instruction set.
//
// The promise: both instruction sets give the same bits. Fused operations are asked for by name,
// sums over lanes follow one fixed tree, transcendental functions are our own polynomials. Nothing
// here uses an approximate instruction (rcp, rsqrt, scalef), whose bits differ between processors.
//
// Everything lives in the namespace of its instruction set and is always inlined: an inline
// function shared with ordinary code could be emitted with AVX-512 in it and be picked by the
// linker for all. For the same reason kernel files include no header of the standard library but
// <cstdint>.
#pragma once

#include <immintrin.h>

#include <cstdint>

#if !defined(LONGTAKE_ISA)
#error "simd.h is for kernels: compile them with LONGTAKE_ISA set to isa_v3 or isa_v4"
#endif

#define LT_INLINE static inline __attribute__((always_inline))
// Before a loop of at most 16 constant steps that must vanish, or its registers go to memory.
#if defined(__clang__)
#define LT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LT_UNROLL _Pragma("GCC unroll 16")
#endif

namespace longtake {
namespace LONGTAKE_ISA {

inline constexpr int kLanes = 16;

#if defined(__AVX512F__)

inline constexpr bool kIsAvx512 = true;

struct F32x16 {
  __m512 v;
};
struct Mask16 {
  __mmask16 v;
};

LT_INLINE F32x16 Zero() { return {_mm512_setzero_ps()}; }
LT_INLINE F32x16 Broadcast(float x) { return {_mm512_set1_ps(x)}; }
LT_INLINE F32x16 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
LT_INLINE void Store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
LT_INLINE F32x16 Add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
LT_INLINE F32x16 Sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
LT_INLINE F32x16 Mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
LT_INLINE F32x16 Div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
LT_INLINE F32x16 Sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
// a * b + c, -(a * b) + c with one rounding.
LT_INLINE F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
LT_INLINE F32x16 Fnma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
// Even lanes a * b - c, odd lanes a * b + c.
LT_INLINE F32x16 FmaAddSub(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fmaddsub_ps(a.v, b.v, c.v)};
}
// b where either is NaN.
LT_INLINE F32x16 Max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
LT_INLINE F32x16 Min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
// Shifts the bit pattern of each lane left by 23, from the mantissa's end into the exponent.
LT_INLINE F32x16 ShiftIntoExponent(F32x16 a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.v), 23))};
}
// Lanes 1 0 3 2 ...; 0 0 2 2 ...; 1 1 3 3 ...
LT_INLINE F32x16 SwapPairs(F32x16 a) { return {_mm512_permute_ps(a.v, 0xb1)}; }
LT_INLINE F32x16 DuplicateEven(F32x16 a) { return {_mm512_moveldup_ps(a.v)}; }
LT_INLINE F32x16 DuplicateOdd(F32x16 a) { return {_mm512_movehdup_ps(a.v)}; }

// The first n lanes; all of them for n >= 16, none for n <= 0.
LT_INLINE Mask16 FirstLanes(int64_t n) {
  const uint32_t bits = n >= kLanes ? 0xffffu : n <= 0 ? 0u : (1u << n) - 1u;
  return {static_cast<__mmask16>(bits)};
}
LT_INLINE F32x16 LoadMasked(Mask16 m, const float* p) { return {_mm512_maskz_loadu_ps(m.v, p)}; }
LT_INLINE void StoreMasked(float* p, Mask16 m, F32x16 a) { _mm512_mask_storeu_ps(p, m.v, a.v); }
// a where the mask is set, else b.
LT_INLINE F32x16 Select(Mask16 m, F32x16 a, F32x16 b) {
  return {_mm512_mask_blend_ps(m.v, b.v, a.v)};
}

LT_INLINE F32x16 LoadBf16(const uint16_t* p) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16))};
}
// Lanes of 32 bits hold two bf16 values: the one at the lower address, the one at the higher.
LT_INLINE F32x16 WidenLow(F32x16 a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.v), 16))};
}
LT_INLINE F32x16 WidenHigh(F32x16 a) {
  return {
      _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(-0x10000)))};
}

LT_INLINE __m256 LowHalf(F32x16 a) { return _mm512_castps512_ps256(a.v); }
LT_INLINE __m256 HighHalf(F32x16 a) { return _mm512_extractf32x8_ps(a.v, 1); }
LT_INLINE F32x16 FromHalves(__m256 low, __m256 high) {
  return {_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1)};
}

// Rows become columns.
LT_INLINE void Transpose16(F32x16 (&r)[16]) {
  __m512 t[16];
  LT_UNROLL
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  __m512 u[16];
  LT_UNROLL
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]);
      const __m512d b = _mm512_castps_pd(t[i + j + 2]);
      u[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      u[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  }
  LT_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m512 even_low = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
    const __m512 odd_low = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xdd);
    r[i].v = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    r[i + 4].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    r[i + 8].v = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    r[i + 12].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
}

#else  // x86-64-v3

inline constexpr bool kIsAvx512 = false;

struct F32x16 {
  __m256 lo;
  __m256 hi;
};
struct Mask16 {
  __m256i lo;
  __m256i hi;
};

LT_INLINE F32x16 Zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
LT_INLINE F32x16 Broadcast(float x) {
  const __m256 v = _mm256_set1_ps(x);
  return {v, v};
}
LT_INLINE F32x16 Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
LT_INLINE void Store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
LT_INLINE F32x16 Add(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
LT_INLINE F32x16 Sub(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
LT_INLINE F32x16 Mul(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
LT_INLINE F32x16 Div(F32x16 a, F32x16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
LT_INLINE F32x16 Sqrt(F32x16 a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
LT_INLINE F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
LT_INLINE F32x16 Fnma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
LT_INLINE F32x16 FmaAddSub(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmaddsub_ps(a.lo, b.lo, c.lo), _mm256_fmaddsub_ps(a.hi, b.hi, c.hi)};
}
LT_INLINE F32x16 Max(F32x16 a, F32x16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
LT_INLINE F32x16 Min(F32x16 a, F32x16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
LT_INLINE F32x16 ShiftIntoExponent(F32x16 a) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.lo), 23)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.hi), 23))};
}
LT_INLINE F32x16 SwapPairs(F32x16 a) {
  return {_mm256_permute_ps(a.lo, 0xb1), _mm256_permute_ps(a.hi, 0xb1)};
}
LT_INLINE F32x16 DuplicateEven(F32x16 a) {
  return {_mm256_moveldup_ps(a.lo), _mm256_moveldup_ps(a.hi)};
}
LT_INLINE F32x16 DuplicateOdd(F32x16 a) {
  return {_mm256_movehdup_ps(a.lo), _mm256_movehdup_ps(a.hi)};
}

LT_INLINE Mask16 FirstLanes(int64_t n) {
  const int clamped = n > kLanes ? kLanes : n < 0 ? 0 : static_cast<int>(n);
  const __m256i count = _mm256_set1_epi32(clamped);
  return {_mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
          _mm256_cmpgt_epi32(count, _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15))};
}
LT_INLINE F32x16 LoadMasked(Mask16 m, const float* p) {
  return {_mm256_maskload_ps(p, m.lo), _mm256_maskload_ps(p + 8, m.hi)};
}
LT_INLINE void StoreMasked(float* p, Mask16 m, F32x16 a) {
  _mm256_maskstore_ps(p, m.lo, a.lo);
  _mm256_maskstore_ps(p + 8, m.hi, a.hi);
}
LT_INLINE F32x16 Select(Mask16 m, F32x16 a, F32x16 b) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(m.lo)),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(m.hi))};
}

LT_INLINE __m256 Bf16Half(const uint16_t* p) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}
LT_INLINE F32x16 LoadBf16(const uint16_t* p) { return {Bf16Half(p), Bf16Half(p + 8)}; }
LT_INLINE F32x16 WidenLow(F32x16 a) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.lo), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.hi), 16))};
}
LT_INLINE F32x16 WidenHigh(F32x16 a) {
  const __m256 high = _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000));
  return {_mm256_and_ps(a.lo, high), _mm256_and_ps(a.hi, high)};
}

LT_INLINE __m256 LowHalf(F32x16 a) { return a.lo; }
LT_INLINE __m256 HighHalf(F32x16 a) { return a.hi; }
LT_INLINE F32x16 FromHalves(__m256 low, __m256 high) { return {low, high}; }

LT_INLINE void Transpose8(__m256 (&r)[8]) {
  __m256 t[8];
  LT_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  LT_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m256 a = t[(i >> 1)];
    const __m256 b = t[(i >> 1) + 2];
    const __m256 c = t[(i >> 1) + 4];
    const __m256 d = t[(i >> 1) + 6];
    const __m256 ab = (i & 1) ? _mm256_shuffle_ps(a, b, 0xee) : _mm256_shuffle_ps(a, b, 0x44);
    const __m256 cd = (i & 1) ? _mm256_shuffle_ps(c, d, 0xee) : _mm256_shuffle_ps(c, d, 0x44);
    r[i] = _mm256_permute2f128_ps(ab, cd, 0x20);
    r[i + 4] = _mm256_permute2f128_ps(ab, cd, 0x31);
  }
}

LT_INLINE void Transpose16(F32x16 (&r)[16]) {
  F32x16 in[16];
  for (int i = 0; i < 16; ++i) in[i] = r[i];
  for (int half = 0; half < 2; ++half) {
    __m256 low[8];
    __m256 high[8];
    for (int i = 0; i < 8; ++i) low[i] = in[8 * half + i].lo;
    for (int i = 0; i < 8; ++i) high[i] = in[8 * half + i].hi;
    Transpose8(low);
    Transpose8(high);
    for (int i = 0; i < 8; ++i) (half ? r[i].hi : r[i].lo) = low[i];
    for (int i = 0; i < 8; ++i) (half ? r[i + 8].hi : r[i + 8].lo) = high[i];
  }
}

#endif

// ((l0+l8)+(l4+l12)) + ((l2+l10)+(l6+l14)) and so on: halves are folded onto each other.
LT_INLINE float HorizontalSum(F32x16 a) {
  const __m256 eight = _mm256_add_ps(LowHalf(a), HighHalf(a));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

LT_INLINE float HorizontalMax(F32x16 a) {
  const __m256 eight = _mm256_max_ps(LowHalf(a), HighHalf(a));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

// The first n <= 16 bf16 values, zeros after them; nothing beyond them is read.
LT_INLINE F32x16 LoadBf16Partial(const uint16_t* p, int64_t n) {
  if (n >= kLanes) return LoadBf16(p);
  alignas(32) uint16_t padded[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) padded[i] = p[i];
  return LoadBf16(padded);
}

// One instruction: exact for |x| < 2^22 by adding and taking away 1.5 * 2^23.
inline constexpr float kRoundMagic = 12582912.0f;

// 2^(n + f) for the pair n + f = x of Exp2 and Exp: degree 6 in f, |f| <= 1/2, relative error 2e-9
// before rounding, exactly 1 at 0. shifted is n + kRoundMagic + 127: its last bits are the
// exponent.
LT_INLINE F32x16 Exp2Reduced(F32x16 f, F32x16 shifted) {
  F32x16 p = Broadcast(0x1.41fbb4p-13f);
  p = Fma(p, f, Broadcast(0x1.5f3e58p-10f));
  p = Fma(p, f, Broadcast(0x1.3b2d4ep-7f));
  p = Fma(p, f, Broadcast(0x1.c6aee8p-5f));
  p = Fma(p, f, Broadcast(0x1.ebfbdcp-3f));
  p = Fma(p, f, Broadcast(0x1.62e430p-1f));
  p = Fma(p, f, Broadcast(1.0f));
  return Mul(p, ShiftIntoExponent(shifted));
}

// 2^x; 0 below -126.5 (-inf too), saturates at 2^127, NaN stays NaN.
LT_INLINE F32x16 Exp2(F32x16 x) {
  x = Min(Broadcast(127.0f), Max(Broadcast(-127.0f), x));
  const F32x16 magic = Broadcast(kRoundMagic + 127.0f);
  const F32x16 shifted = Add(x, magic);
  return Exp2Reduced(Sub(x, Sub(shifted, magic)), shifted);
}

// e^x, 1e-7 relative over the range of Exp2's argument x log2(e).
LT_INLINE F32x16 Exp(F32x16 x) {
  x = Min(Broadcast(88.0f), Max(Broadcast(-88.0f), x));
  const F32x16 log2e = Broadcast(0x1.715476p+0f);
  const F32x16 magic = Broadcast(kRoundMagic + 127.0f);
  const F32x16 shifted = Fma(x, log2e, magic);
  const F32x16 n = Sub(shifted, magic);
  F32x16 f = Fma(x, log2e, Sub(Zero(), n));
  f = Fma(x, Broadcast(0x1.4ae0c0p-26f), f);
  return Exp2Reduced(f, shifted);
}

// 1 / (1 + e^-x)
LT_INLINE F32x16 Sigmoid(F32x16 x) {
  const F32x16 one = Broadcast(1.0f);
  return Div(one, Add(one, Exp(Sub(Zero(), x))));
}

// x / (1 + e^-x)
LT_INLINE F32x16 Silu(F32x16 x) { return Div(x, Add(Broadcast(1.0f), Exp(Sub(Zero(), x)))); }

// Absolute error 1e-7: 1 - 2 / (e^2x + 1).
LT_INLINE F32x16 Tanh(F32x16 x) {
  const F32x16 one = Broadcast(1.0f);
  return Sub(one, Div(Broadcast(2.0f), Add(Exp(Add(x, x)), one)));
}

// x/2 (1 + tanh(u)) = x / (1 + e^-2u) with u = sqrt(2/pi) (x + 0.044715 x^3).
LT_INLINE F32x16 GeluTanh(F32x16 x) {
  const F32x16 cubic = Fma(Mul(x, x), Broadcast(-0.0713548162726f), Broadcast(-1.5957691216057f));
  return Div(x, Add(Broadcast(1.0f), Exp(Mul(x, cubic))));
}

// (a, b) -> (a cos - b sin, b cos + a sin) for eight pairs; table holds cos, sin per pair.
LT_INLINE F32x16 RotatePairs(F32x16 x, F32x16 table) {
  return FmaAddSub(x, DuplicateEven(table), Mul(SwapPairs(x), DuplicateOdd(table)));
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
