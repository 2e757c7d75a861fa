// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How much memory something takes, in bytes: of the host, and of a device that computes. A device
// without memory of its own takes the host's (OfHost).
#pragma once

#include <cstdint>

namespace longtake {

struct MemoryUse {
  uint64_t host = 0;
  uint64_t device = 0;

  uint64_t total() const { return host + device; }
  MemoryUse OfHost() const { return {.host = total()}; }
  MemoryUse& operator+=(const MemoryUse& other) {
    host += other.host;
    device += other.device;
    return *this;
  }
  friend MemoryUse operator+(MemoryUse a, const MemoryUse& b) { return a += b; }
  friend bool operator==(const MemoryUse&, const MemoryUse&) = default;
};

}  // namespace longtake
