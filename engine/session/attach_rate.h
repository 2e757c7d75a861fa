// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How often a session may be attached to: some times at once, then at a rate. Each attach takes the
// session from its reader and has the chunk it begins with encoded again. A plain value under the
// session's lock; times are monotonic nanoseconds.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longtake {

struct AttachLimits {
  int64_t at_once_max = 16;
  int64_t interval_nanos = 500'000'000;  // of those beyond
};

class AttachRate {
 public:
  bool Allows(int64_t now_nanos, const AttachLimits& limits) const {
    return busy_until_nanos_ - now_nanos <= (limits.at_once_max - 1) * limits.interval_nanos;
  }
  void Count(int64_t now_nanos, const AttachLimits& limits) {
    busy_until_nanos_ = std::max(busy_until_nanos_, now_nanos) + limits.interval_nanos;
  }

 private:
  // Until then those that were counted would take, one after the other at the rate.
  int64_t busy_until_nanos_ = 0;
};

}  // namespace longtake
