// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who reads a session, or since when nobody does. Only the latest reader counts. A plain value
// under the session's lock.
//
// Within a process time is counted in monotonic nanoseconds, so that whoever sets the wall clock,
// forward or back, neither ends a session nor lengthens its life. The monotonic clock begins anew
// with each process; from one to the next the wall clock alone can say for how long nobody has been
// there. When it was set back meanwhile, so that the reader seems to leave in the future, the time
// alone begins again: the session lives for its ttl from now at most.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

namespace longtake {

// What another process needs to know of an attachment.
struct SavedAttachment {
  bool had_reader = false;  // somebody attached once
  // Empty: somebody is attached. Such a reader went with its process, and the session is alone from
  // the moment on at which the next process has it, whatever the wall clock says.
  std::optional<int64_t> alone_since_wall_nanos = {};
  friend bool operator==(const SavedAttachment&, const SavedAttachment&) = default;
};

class Attachment {
 public:
  explicit Attachment(int64_t now_nanos) : detached_nanos_(now_nanos) {}

  // As a value; both times are now.
  SavedAttachment Save(int64_t now_nanos, int64_t wall_nanos) const {
    SavedAttachment saved = {.had_reader = had_reader_};
    if (!attached_) saved.alone_since_wall_nanos = wall_nanos - NanosAlone(now_nanos);
    return saved;
  }
  // Goes on from there, without a reader. The saved time may be anything.
  void BeginAt(const SavedAttachment& saved, int64_t now_nanos, int64_t wall_nanos) {
    had_reader_ = saved.had_reader;
    const int64_t since_nanos = saved.alone_since_wall_nanos.value_or(wall_nanos);
    const int64_t alone_nanos =
        wall_nanos - std::min(std::max<int64_t>(since_nanos, 0), wall_nanos);
    detached_nanos_ = now_nanos - alone_nanos;
  }

  // A new reader, whose number counts readers from 1. Gives the wake call of the one before, who
  // has to learn that it was replaced.
  std::function<void()> Attach(std::function<void()> wake, int64_t now_nanos) {
    attached_ = true;
    had_reader_ = true;
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

  // The reader sent something, took what it was sent, or may do so only now.
  void Hear(int64_t now_nanos) { heard_nanos_ = now_nanos; }
  // Since the last Hear; 0 without a reader.
  int64_t NanosSilent(int64_t now_nanos) const { return attached_ ? now_nanos - heard_nanos_ : 0; }

  uint64_t latest() const { return latest_; }  // 0: nobody came yet to this process
  bool had_reader() const { return had_reader_; }
  bool attached() const { return attached_; }
  const std::function<void()>& wake() const { return wake_; }
  // Without a reader; 0 while there is one.
  int64_t NanosAlone(int64_t now_nanos) const {
    return attached_ ? 0 : now_nanos - detached_nanos_;
  }

 private:
  uint64_t latest_ = 0;
  bool attached_ = false;
  bool had_reader_ = false;
  std::function<void()> wake_;
  int64_t detached_nanos_ = 0;
  int64_t heard_nanos_ = 0;
};

}  // namespace longtake
