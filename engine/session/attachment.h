// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who reads a session, or since when nobody does. Only the latest reader counts. A plain value
// under the session's lock; times are monotonic nanoseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

namespace longtake {

class Attachment {
 public:
  explicit Attachment(int64_t now_nanos) : detached_nanos_(now_nanos) {}

  // A new reader, whose number counts readers from 1. Gives the wake call of the one before, who
  // has to learn that it was replaced.
  std::function<void()> Attach(std::function<void()> wake, int64_t now_nanos) {
    attached_ = true;
    heard_nanos_ = now_nanos;
    ++latest_;
    return std::exchange(wake_, std::move(wake));
  }
  // The reader went away. Gives its wake call, to be destroyed without the lock; null when another
  // reader had taken over.
  std::function<void()> Detach(uint64_t reader, int64_t now_nanos) {
    if (reader != latest_ || !attached_) return nullptr;
    attached_ = false;
    detached_nanos_ = now_nanos;
    return std::exchange(wake_, nullptr);
  }

  // The reader sent something, or took what it was sent.
  void Hear(int64_t now_nanos) { heard_nanos_ = now_nanos; }
  // Since the last Hear; 0 without a reader.
  int64_t NanosSilent(int64_t now_nanos) const { return attached_ ? now_nanos - heard_nanos_ : 0; }

  uint64_t latest() const { return latest_; }  // 0: nobody came yet
  bool attached() const { return attached_; }
  const std::function<void()>& wake() const { return wake_; }
  // Without a reader; 0 while there is one.
  int64_t NanosAlone(int64_t now_nanos) const {
    return attached_ ? 0 : now_nanos - detached_nanos_;
  }

 private:
  uint64_t latest_ = 0;
  bool attached_ = false;
  std::function<void()> wake_;
  int64_t detached_nanos_ = 0;
  int64_t heard_nanos_ = 0;
};

}  // namespace longtake
