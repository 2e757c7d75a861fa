// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Time behind an interface, so that ttl, deadlines and reports can be tested without waiting.
// Implementations are safe from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace longtake {

class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since an arbitrary start; never goes back.
  virtual int64_t MonotonicNanos() = 0;
  // Nanoseconds since the Unix epoch.
  virtual int64_t WallNanos() = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t MonotonicNanos() override {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }
  int64_t WallNanos() override {
    return std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }
};

// Stands still until told to move.
class ManualClock final : public Clock {
 public:
  int64_t MonotonicNanos() override { return nanos_.load(); }
  int64_t WallNanos() override { return nanos_.load() + wall_ahead_nanos_.load(); }
  void Advance(int64_t nanos) { nanos_.fetch_add(nanos); }
  // Somebody sets the wall clock; back, when negative.
  void JumpWall(int64_t nanos) { wall_ahead_nanos_.fetch_add(nanos); }

 private:
  std::atomic<int64_t> nanos_{0};
  std::atomic<int64_t> wall_ahead_nanos_{0};
};

constexpr double NanosToSeconds(int64_t nanos) { return static_cast<double>(nanos) * 1e-9; }

}  // namespace longtake
