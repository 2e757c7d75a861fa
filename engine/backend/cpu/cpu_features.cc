// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_features.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace longtake {
namespace {

bool ProcessorHasAmx() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kBf16 = 1u << 22;
  constexpr unsigned kTile = 1u << 24;
  constexpr unsigned kInt8 = 1u << 25;
  return (edx & (kBf16 | kTile | kInt8)) == (kBf16 | kTile | kInt8);
}

// Linux hands out the tile registers' state (8 KiB a thread) on request, for all threads to come
// and those that are (arch_prctl(2), since 5.16).
bool AskForTiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuFeatures Detect() {
  CpuFeatures features;
  features.v3 = __builtin_cpu_supports("x86-64-v3");
  features.v4 = __builtin_cpu_supports("x86-64-v4");
  features.vnni = features.v4 && __builtin_cpu_supports("avx512vnni");
  features.amx =
      features.vnni && __builtin_cpu_supports("avx512bf16") && ProcessorHasAmx() && AskForTiles();
  return features;
}

}  // namespace

const CpuFeatures& GetCpuFeatures() {
  static const CpuFeatures features = Detect();
  return features;
}

}  // namespace longtake
