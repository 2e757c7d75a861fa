// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "loadtest/bench/instruction_peak.h"

#include <immintrin.h>

#include <cstdint>
#include <ctime>
#include <vector>

#include "engine/backend/cpu/cpu_features.h"
#include "engine/backend/cpu/tile_config.h"

namespace longtake {
namespace {

constexpr int64_t kBurst = 20000;
constexpr int kBursts = 200;

// Twelve independent sums. Written as text, since a compiler may send intrinsics' sums through
// memory.
#define LT_TWELVE(head, prefix)                                                       \
  head prefix "0\n" head prefix "1\n" head prefix "2\n" head prefix "3\n" head prefix \
              "4\n" head prefix "5\n" head prefix "6\n" head prefix "7\n" head prefix \
              "8\n" head prefix "9\n" head prefix "10\n" head prefix "11\n"
constexpr int kChains = 12;

// Each burst returns the operations done. What the sums start from does not matter: none of these
// instructions is slower for any value but subnormals, and those the multiplication by 15's zeros
// does not make.
__attribute__((target("avx512f"))) double BurstAvx512() {
  asm volatile("vpxorq %%zmm15, %%zmm15, %%zmm15" ::: "xmm15");
  for (int64_t i = 0; i < kBurst; ++i) {
    asm volatile(LT_TWELVE("vfmadd231ps %%zmm15, %%zmm15, ", "%%zmm")::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11");
  }
  return 2.0 * 16 * kChains * kBurst;
}

__attribute__((target("avx2,fma"))) double BurstAvx2() {
  asm volatile("vxorps %%ymm15, %%ymm15, %%ymm15" ::: "xmm15");
  for (int64_t i = 0; i < kBurst; ++i) {
    asm volatile(LT_TWELVE("vfmadd231ps %%ymm15, %%ymm15, ", "%%ymm")::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11");
  }
  return 2.0 * 8 * kChains * kBurst;
}

__attribute__((target("avx512f,avx512vnni"))) double BurstVnni() {
  asm volatile("vpxorq %%zmm15, %%zmm15, %%zmm15" ::: "xmm15");
  for (int64_t i = 0; i < kBurst; ++i) {
    asm volatile(LT_TWELVE("vpdpbusd %%zmm15, %%zmm15, ", "%%zmm")::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11");
  }
  return 2.0 * 64 * kChains * kBurst;
}

// Four tiles of sums, as the kernels have.
__attribute__((target("amx-tile,amx-int8,amx-bf16"))) double BurstAmx(bool bytes) {
  _tile_loadconfig(&kTileConfig);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  if (bytes) {
    for (int64_t i = 0; i < kBurst; ++i) {
      _tile_dpbusd(0, 4, 5);
      _tile_dpbusd(1, 4, 5);
      _tile_dpbusd(2, 4, 5);
      _tile_dpbusd(3, 4, 5);
    }
  } else {
    for (int64_t i = 0; i < kBurst; ++i) {
      _tile_dpbf16ps(0, 4, 5);
      _tile_dpbf16ps(1, 4, 5);
      _tile_dpbf16ps(2, 4, 5);
      _tile_dpbf16ps(3, 4, 5);
    }
  }
  _tile_release();
  return 2.0 * 16 * 16 * (bytes ? 64 : 32) * 4 * kBurst;
}

double Burst(Instruction instruction) {
  switch (instruction) {
    case Instruction::kFma:
      return GetCpuFeatures().v4 ? BurstAvx512() : BurstAvx2();
    case Instruction::kVnni:
      return BurstVnni();
    case Instruction::kAmxInt8:
      return BurstAmx(true);
    case Instruction::kAmxBf16:
      return BurstAmx(false);
  }
  return 0;
}

}  // namespace

std::string_view InstructionName(Instruction instruction) {
  switch (instruction) {
    case Instruction::kFma:
      return "fma";
    case Instruction::kVnni:
      return "vnni";
    case Instruction::kAmxInt8:
      return "amx-int8";
    case Instruction::kAmxBf16:
      return "amx-bf16";
  }
  return "";
}

bool HasInstruction(Instruction instruction) {
  const CpuFeatures& cpu = GetCpuFeatures();
  if (instruction == Instruction::kFma) return cpu.v3;
  return instruction == Instruction::kVnni ? cpu.vnni : cpu.amx;
}

double ProcessCpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double MeasurePeak(WorkerPool& workers, Instruction instruction) {
  std::vector<double> operations(workers.thread_count(), 0.0);
  const double start = ProcessCpuSeconds();
  workers.ParallelFor(workers.thread_count(), [&](int64_t index, int) {
    for (int i = 0; i < kBursts; ++i) operations[index] += Burst(instruction);
  });
  const double seconds = ProcessCpuSeconds() - start;
  double total = 0;
  for (double each : operations) total += each;
  return total / seconds;
}

}  // namespace longtake
