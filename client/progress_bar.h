// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One line on a terminal that shows how a take goes; silent when standard error is none.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

namespace longtake {

class ProgressBar {
 public:
  explicit ProgressBar(bool enabled) : enabled_(enabled && isatty(STDERR_FILENO) != 0) {}

  // frames_total 0: endless.
  void Update(int64_t frames, int64_t frames_total, double seconds) {
    if (!enabled_) return;
    const double rate = seconds > 0 ? static_cast<double>(frames) / seconds : 0;
    if (frames_total == 0) {
      std::fprintf(stderr, "\r%lld frames, %.1f frames/s ", static_cast<long long>(frames), rate);
    } else {
      const int64_t filled = std::min<int64_t>(kCells, kCells * frames / frames_total);
      const std::string bar(static_cast<size_t>(filled), '#');
      std::fprintf(stderr, "\r[%-*s] %lld/%lld frames, %.1f frames/s ", static_cast<int>(kCells),
                   bar.c_str(), static_cast<long long>(frames),
                   static_cast<long long>(frames_total), rate);
    }
    drawn_ = true;
  }

  ~ProgressBar() {
    if (drawn_) std::fputc('\n', stderr);
  }

 private:
  static constexpr int64_t kCells = 40;
  const bool enabled_;
  bool drawn_ = false;
};

}  // namespace longtake
