// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How many lines of one event may be told: a client can cause as many events as it likes, and its
// lines must not bury those of the others. An event has a second from its first line on; what comes
// beyond the limit within it is left out and counted.
//
// A plain value; one thread at a time. Times are Clock's monotonic nanoseconds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace longtake {

class LogRate {
 public:
  static constexpr int64_t kLinesPerSecondMax = 20;

  // True when a line of this event may be told. Events are fixed phrases, so they are few. A second
  // ends with TakeLeftOut, which is therefore called before.
  bool Admit(const std::string& event, int64_t now_nanos);

  struct LeftOut {
    std::string event;
    int64_t lines = 0;
  };
  // What was left out in seconds that are over; each once.
  std::vector<LeftOut> TakeLeftOut(int64_t now_nanos);

  // All lines that were left out since the start.
  uint64_t left_out_lines() const { return left_out_lines_; }

 private:
  struct Second {
    int64_t start_nanos = 0;
    int64_t lines = 0;
  };
  std::map<std::string, Second> seconds_;
  uint64_t left_out_lines_ = 0;
};

}  // namespace longtake
