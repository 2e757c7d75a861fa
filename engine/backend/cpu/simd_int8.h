// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sixteen int32 lanes and products of bytes, exact on every instruction set. For kernel files only,
// as simd.h.
#pragma once

#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {

#if defined(__AVX512F__)

struct I32x16 {
  __m512i v;
};

LT_INLINE I32x16 IntZero() { return {_mm512_setzero_si512()}; }
LT_INLINE I32x16 IntLoad(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
LT_INLINE void IntStore(int32_t* p, I32x16 a) { _mm512_storeu_si512(p, a.v); }
LT_INLINE I32x16 IntLoadMasked(Mask16 m, const int32_t* p) {
  return {_mm512_maskz_loadu_epi32(m.v, p)};
}
LT_INLINE void IntStoreMasked(int32_t* p, Mask16 m, I32x16 a) {
  _mm512_mask_storeu_epi32(p, m.v, a.v);
}
LT_INLINE I32x16 IntAdd(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
LT_INLINE I32x16 IntSub(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
LT_INLINE I32x16 IntMax(I32x16 a, I32x16 b) { return {_mm512_max_epi32(a.v, b.v)}; }
LT_INLINE F32x16 ToFloat(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
// The bits of |a|: ordered as integers like the magnitudes, NaN above all.
LT_INLINE I32x16 MagnitudeBits(F32x16 a) {
  return {_mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x7fffffff))};
}
// Nearest integers, ties to even, plus 128, as bytes.
LT_INLINE void StoreOffsetBytes(uint8_t* p, F32x16 a) {
  const __m512i x = _mm512_add_epi32(_mm512_cvtps_epi32(a.v), _mm512_set1_epi32(128));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
}
LT_INLINE __m256i LowHalf(I32x16 a) { return _mm512_castsi512_si256(a.v); }
LT_INLINE __m256i HighHalf(I32x16 a) { return _mm512_extracti64x4_epi64(a.v, 1); }

#if defined(__AVX512VNNI__)

// Four weights of each of sixteen columns.
struct ByteColumns {
  __m512i v;
};
LT_INLINE ByteColumns LoadByteColumns(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
// Adds the products of four unsigned bytes, lowest first, with a column's four weights. Not by its
// intrinsic, around which GCC 12 keeps copying sums to memory.
LT_INLINE I32x16 AddProducts(I32x16 sum, int32_t bytes, ByteColumns columns) {
  const __m512i four = _mm512_set1_epi32(bytes);
  asm("vpdpbusd %2, %1, %0" : "+v"(sum.v) : "v"(four), "v"(columns.v));
  return sum;
}

#else

// As pairs of 16 bits: weights 0 and 2, weights 1 and 3. A product of bytes summed in 16 bits, as
// vpmaddubsw does, would saturate.
struct ByteColumns {
  __m512i even;
  __m512i odd;
};
LT_INLINE ByteColumns LoadByteColumns(const int32_t* p) {
  const __m512i w = _mm512_loadu_si512(p);
  return {_mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8), _mm512_srai_epi16(w, 8)};
}
LT_INLINE I32x16 AddProducts(I32x16 sum, int32_t bytes, ByteColumns columns) {
  const __m512i even = _mm512_set1_epi32(bytes & 0x00ff00ff);
  const __m512i odd = _mm512_set1_epi32((bytes >> 8) & 0x00ff00ff);
  return {_mm512_add_epi32(_mm512_add_epi32(sum.v, _mm512_madd_epi16(even, columns.even)),
                           _mm512_madd_epi16(odd, columns.odd))};
}

#endif

#else  // x86-64-v3

struct I32x16 {
  __m256i lo;
  __m256i hi;
};

LT_INLINE __m256i IntLoadHalf(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
LT_INLINE I32x16 IntZero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
LT_INLINE I32x16 IntLoad(const int32_t* p) { return {IntLoadHalf(p), IntLoadHalf(p + 8)}; }
LT_INLINE void IntStore(int32_t* p, I32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), a.hi);
}
LT_INLINE I32x16 IntLoadMasked(Mask16 m, const int32_t* p) {
  return {_mm256_maskload_epi32(p, m.lo), _mm256_maskload_epi32(p + 8, m.hi)};
}
LT_INLINE void IntStoreMasked(int32_t* p, Mask16 m, I32x16 a) {
  _mm256_maskstore_epi32(p, m.lo, a.lo);
  _mm256_maskstore_epi32(p + 8, m.hi, a.hi);
}
LT_INLINE I32x16 IntAdd(I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
LT_INLINE I32x16 IntSub(I32x16 a, I32x16 b) {
  return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
LT_INLINE I32x16 IntMax(I32x16 a, I32x16 b) {
  return {_mm256_max_epi32(a.lo, b.lo), _mm256_max_epi32(a.hi, b.hi)};
}
LT_INLINE F32x16 ToFloat(I32x16 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
LT_INLINE I32x16 MagnitudeBits(F32x16 a) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  return {_mm256_and_si256(_mm256_castps_si256(a.lo), mask),
          _mm256_and_si256(_mm256_castps_si256(a.hi), mask)};
}
LT_INLINE void StoreOffsetBytes(uint8_t* p, F32x16 a) {
  // The low byte of each lane, gathered within each half of a register, then the halves joined.
  const __m256i pick =
      _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1,
                       -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i offset = _mm256_set1_epi32(128);
  const __m256i lo = _mm256_shuffle_epi8(_mm256_add_epi32(_mm256_cvtps_epi32(a.lo), offset), pick);
  const __m256i hi = _mm256_shuffle_epi8(_mm256_add_epi32(_mm256_cvtps_epi32(a.hi), offset), pick);
  const __m128i low_eight =
      _mm_unpacklo_epi32(_mm256_castsi256_si128(lo), _mm256_extracti128_si256(lo, 1));
  const __m128i high_eight =
      _mm_unpacklo_epi32(_mm256_castsi256_si128(hi), _mm256_extracti128_si256(hi, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_unpacklo_epi64(low_eight, high_eight));
}
LT_INLINE __m256i LowHalf(I32x16 a) { return a.lo; }
LT_INLINE __m256i HighHalf(I32x16 a) { return a.hi; }

struct ByteColumns {
  I32x16 even;
  I32x16 odd;
};
LT_INLINE ByteColumns LoadByteColumns(const int32_t* p) {
  const I32x16 w = IntLoad(p);
  return {{_mm256_srai_epi16(_mm256_slli_epi16(w.lo, 8), 8),
           _mm256_srai_epi16(_mm256_slli_epi16(w.hi, 8), 8)},
          {_mm256_srai_epi16(w.lo, 8), _mm256_srai_epi16(w.hi, 8)}};
}
LT_INLINE I32x16 AddProducts(I32x16 sum, int32_t bytes, const ByteColumns& columns) {
  const __m256i even = _mm256_set1_epi32(bytes & 0x00ff00ff);
  const __m256i odd = _mm256_set1_epi32((bytes >> 8) & 0x00ff00ff);
  const I32x16 first = {_mm256_madd_epi16(even, columns.even.lo),
                        _mm256_madd_epi16(even, columns.even.hi)};
  const I32x16 second = {_mm256_madd_epi16(odd, columns.odd.lo),
                         _mm256_madd_epi16(odd, columns.odd.hi)};
  return IntAdd(IntAdd(sum, first), second);
}

#endif

LT_INLINE int32_t HorizontalMax(I32x16 a) {
  const __m256i eight = _mm256_max_epi32(LowHalf(a), HighHalf(a));
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1));
  return _mm_cvtsi128_si32(four);
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
