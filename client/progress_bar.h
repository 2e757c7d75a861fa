// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a take says on standard error: one line on a terminal that shows how it goes, and sentences
// that are never drawn over. Any thread.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include "base/mutex.h"
#include "base/printable_text.h"

namespace longtake {

class ProgressBar {
 public:
  // Not enabled: only sentences.
  explicit ProgressBar(bool enabled) : enabled_(enabled && isatty(STDERR_FILENO) != 0) {}
  ~ProgressBar() { EndLine(); }

  // frames_total 0: endless.
  void Update(int64_t frames, int64_t frames_total, double seconds) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (!enabled_) return;
    MutexLock lock(mutex_);
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

  // On a line of its own.
  void Say(const std::string& sentence) ABSL_LOCKS_EXCLUDED(mutex_) {
    EndLine();
    std::fprintf(stderr, "longtake: %s\n", PrintableText(sentence).c_str());
  }

 private:
  void EndLine() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (drawn_) std::fputc('\n', stderr);
    drawn_ = false;
  }

  static constexpr int64_t kCells = 40;
  const bool enabled_;
  Mutex mutex_;
  bool drawn_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
