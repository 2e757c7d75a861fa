// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/spread.h"

namespace longtake {
namespace {

// Unit i of n is one of k evenly spread ones when the running count i * k / n steps up behind it.
bool IsSpread(uint64_t i, uint64_t k, uint64_t n) { return (i + 1) * k / n > i * k / n; }

}  // namespace

std::vector<bool> PlanKept(std::span<const uint64_t> unit_bytes, uint64_t kept_bytes_max) {
  const uint64_t n = unit_bytes.size();
  std::vector<bool> kept(n, false);
  for (uint64_t k = n; k > 0; --k) {
    uint64_t left = kept_bytes_max;
    bool fits = true;
    for (uint64_t i = 0; i < n && fits; ++i) {
      if (!IsSpread(i, k, n)) continue;
      fits = unit_bytes[i] <= left;
      if (fits) left -= unit_bytes[i];
    }
    if (!fits) continue;
    for (uint64_t i = 0; i < n; ++i) kept[i] = IsSpread(i, k, n);
    break;
  }
  return kept;
}

}  // namespace longtake
