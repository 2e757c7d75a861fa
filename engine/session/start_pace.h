// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// By when a client must have sent more of its start frames, for which memory is held: soon after
// their last byte, and at a least rate over the whole time, so that a byte now and then does not
// keep it. The time runs from the first reader on; one that leaves and comes again gets no other.
// It stands still while what came is recorded, as nothing more is read before that. A plain value
// under the session's lock; times are monotonic nanoseconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "engine/session/session_limits.h"

namespace longtake {

class StartPace {
 public:
  // Somebody is there who could send. Only the first call counts.
  void Begin(int64_t now_nanos) {
    if (begin_nanos_.has_value()) return;
    begin_nanos_ = stopped_nanos_.value_or(now_nanos);
    heard_nanos_ = *begin_nanos_;
  }
  // Bytes came.
  void Hear(int64_t now_nanos) {
    Begin(now_nanos);
    heard_nanos_ = stopped_nanos_.value_or(now_nanos);
  }
  // From the first Stop on the time stands still, until it goes on.
  void Stop(int64_t now_nanos) {
    if (!stopped_nanos_.has_value()) stopped_nanos_ = now_nanos;
  }
  void Go(int64_t now_nanos) {
    const int64_t stood_nanos = now_nanos - stopped_nanos_.value_or(now_nanos);
    stopped_nanos_.reset();
    if (!begin_nanos_.has_value()) return;
    *begin_nanos_ += stood_nanos;
    heard_nanos_ += stood_nanos;
  }

  // When it is too late for the next byte, with so many there; nothing before Begin and while the
  // time stands still.
  std::optional<int64_t> DueNanos(int64_t bytes, const SessionLimits& limits) const {
    if (!begin_nanos_.has_value() || stopped_nanos_.has_value()) return std::nullopt;
    return limits.start_wait_nanos +
           std::min(heard_nanos_,
                    *begin_nanos_ + NanosFor(bytes, limits.start_bytes_per_second_min));
  }

 private:
  // Of the bytes at this rate. In parts, as the product of all would overflow.
  static int64_t NanosFor(int64_t bytes, int64_t rate) {
    constexpr int64_t kSecond = 1'000'000'000;
    return bytes / rate * kSecond + bytes % rate * kSecond / rate;
  }

  std::optional<int64_t> begin_nanos_;
  std::optional<int64_t> stopped_nanos_;
  int64_t heard_nanos_ = 0;
};

}  // namespace longtake
