// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The frames that a take begins with, as they come from its client, part by part. A part counts
// once it is recorded (engine/session/event_sink.h), as do those before it. A plain value under the
// session's lock; all sizes are bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/session/resolved_spec.h"

namespace longtake {

class StartUpload {
 public:
  // What of these bytes is new, which is to be recorded; all of it lies behind size(). What came
  // before and is still being recorded is passed over. INVALID_ARGUMENT when they are not the next
  // ones, too many or not expected.
  absl::StatusOr<std::string_view> Add(const ResolvedSpec& spec, int64_t offset,
                                       std::string_view bytes);
  // Whoever sends from now on knows of what is recorded; what is recorded while it sends is passed
  // over, too.
  void BeginReader() { next_ = recorded(); }
  void OnRecorded(size_t offset) { recording_.erase(offset); }
  // All of them, once they are there; from then on they are taken.
  std::vector<uint8_t> Take();
  // Goes on from there: taken, or with what had come.
  void BeginAt(const ResolvedSpec& spec, bool taken, std::vector<uint8_t> came);
  void Clear() { std::vector<uint8_t>().swap(bytes_); }

  bool taken() const { return taken_; }
  bool is_recording() const { return !recording_.empty(); }
  bool is_whole(const ResolvedSpec& spec) const {
    return taken_ || bytes_.size() >= spec.start_bytes();
  }
  // That came, and of those the ones before which all are recorded.
  size_t size() const { return taken_ ? size_ : bytes_.size(); }
  size_t recorded() const;

 private:
  std::vector<uint8_t> bytes_;
  std::set<size_t> recording_;  // where parts begin
  size_t next_ = 0;             // the least that its sender may send next
  bool taken_ = false;
  size_t size_ = 0;  // of what was taken
};

}  // namespace longtake
