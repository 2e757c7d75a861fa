// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log_rate.h"

namespace longtake {
namespace {

constexpr int64_t kSecondNanos = 1'000'000'000;

}  // namespace

bool LogRate::Admit(const std::string& event, int64_t now_nanos) {
  Second& second = seconds_.try_emplace(event, Second{.start_nanos = now_nanos}).first->second;
  if (++second.lines <= kLinesPerSecondMax) return true;
  ++left_out_lines_;
  return false;
}

std::vector<LogRate::LeftOut> LogRate::TakeLeftOut(int64_t now_nanos) {
  std::vector<LeftOut> out;
  for (auto it = seconds_.begin(); it != seconds_.end();) {
    const auto& [event, second] = *it;
    if (now_nanos - second.start_nanos < kSecondNanos) {
      ++it;
      continue;
    }
    const int64_t more = second.lines - kLinesPerSecondMax;
    if (more > 0) out.push_back({.event = event, .lines = more});
    it = seconds_.erase(it);
  }
  return out;
}

}  // namespace longtake
