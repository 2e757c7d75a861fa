// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "loadtest/bench/fma_peak.h"

#include <immintrin.h>

#include <cstdint>
#include <ctime>
#include <vector>

namespace longtake {
namespace {

constexpr int kChains = 16;
constexpr int64_t kBurst = 20000;

// Each returns the floating point operations done. The barrier keeps the sums in registers.
__attribute__((target("avx512f"))) double BurstAvx512() {
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_set1_ps(1.0f);
  const __m512 factor = _mm512_set1_ps(0.5f);
  for (int64_t i = 0; i < kBurst; ++i) {
#pragma GCC unroll 16
    for (__m512& sum : sums) {
      sum = _mm512_fmadd_ps(sum, factor, factor);
      asm volatile("" : "+v"(sum));
    }
  }
  return 2.0 * 16 * kChains * kBurst;
}

__attribute__((target("avx2,fma"))) double BurstAvx2() {
  __m256 sums[12];
  for (__m256& sum : sums) sum = _mm256_set1_ps(1.0f);
  const __m256 factor = _mm256_set1_ps(0.5f);
  for (int64_t i = 0; i < kBurst; ++i) {
#pragma GCC unroll 16
    for (__m256& sum : sums) {
      sum = _mm256_fmadd_ps(sum, factor, factor);
      asm volatile("" : "+x"(sum));
    }
  }
  return 2.0 * 8 * 12 * kBurst;
}

}  // namespace

double ProcessCpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double MeasureFmaPeak(WorkerPool& workers, int bursts) {
  const bool avx512 = __builtin_cpu_supports("avx512f");
  std::vector<double> operations(workers.thread_count(), 0.0);
  const double start = ProcessCpuSeconds();
  workers.ParallelFor(workers.thread_count(), [&](int64_t index, int) {
    for (int i = 0; i < bursts; ++i) operations[index] += avx512 ? BurstAvx512() : BurstAvx2();
  });
  const double seconds = ProcessCpuSeconds() - start;
  double total = 0;
  for (double each : operations) total += each;
  return total / seconds;
}

}  // namespace longtake
