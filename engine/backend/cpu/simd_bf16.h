// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Rounding to bf16 by the processor (AVX512-BF16: to nearest even, subnormals become zero). For the
// kernel files of isa_amx only.
#pragma once

#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {

// Thirty-two values of two registers, in order.
LT_INLINE void StoreBf16(void* to, F32x16 low, F32x16 high) {
  const __m512bh both = _mm512_cvtne2ps_pbh(high.v, low.v);
  _mm512_storeu_si512(to, __builtin_bit_cast(__m512i, both));
}

// Words of a value of even in the low half and one of odd in the high half.
LT_INLINE F32x16 PairBf16(F32x16 even, F32x16 odd) {
  const __m256i low = __builtin_bit_cast(__m256i, _mm512_cvtneps_pbh(even.v));
  const __m256i high = __builtin_bit_cast(__m256i, _mm512_cvtneps_pbh(odd.v));
  const __m512i words = _mm512_or_si512(_mm512_cvtepu16_epi32(low),
                                        _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
  return {_mm512_castsi512_ps(words)};
}

// The same of sixteen values each that are bf16 already.
LT_INLINE F32x16 PairBf16(const uint16_t* even, const uint16_t* odd) {
  const auto load = [](const uint16_t* p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  };
  return {_mm512_castsi512_ps(_mm512_or_si512(load(even), _mm512_slli_epi32(load(odd), 16)))};
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
