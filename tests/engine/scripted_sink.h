// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// An event sink that answers when and as a test says.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "engine/session/event_sink.h"

namespace longtake {

// Keeps what it is given until it is told what to answer. Any thread.
class ScriptedSink final : public EventSink {
 public:
  void Record(const SessionKey& session, const AcceptedEvent& event, Recorded recorded) override {
    MutexLock lock(mutex_);
    session_id_ = session.id;
    pending_[event.sequence] = {event, std::move(recorded)};
  }
  // Parts of start frames are known by where they begin.
  void RecordStart(const SessionKey&, int64_t offset, std::string_view bytes,
                   Recorded recorded) override {
    MutexLock lock(mutex_);
    starts_[offset] = {std::string(bytes), std::move(recorded)};
  }
  void SayStart(int64_t offset, const absl::Status& result = absl::OkStatus()) {
    std::pair<std::string, Recorded> start;
    {
      MutexLock lock(mutex_);
      start = std::move(starts_.at(offset));
      starts_.erase(offset);
    }
    start.second(result, result.ok());
  }
  std::string start(int64_t offset) const {
    MutexLock lock(mutex_);
    return starts_.at(offset).first;
  }
  void Say(uint64_t sequence, const absl::Status& result = absl::OkStatus()) {
    Recorded recorded;
    {
      MutexLock lock(mutex_);
      recorded = std::move(pending_.at(sequence).recorded);
      pending_.erase(sequence);
    }
    recorded(result, result.ok());
  }
  std::vector<uint64_t> numbers() const {
    std::vector<uint64_t> out;
    MutexLock lock(mutex_);
    for (const auto& [sequence, pending] : pending_) out.push_back(sequence);
    return out;
  }
  AcceptedEvent event(uint64_t sequence) const {
    MutexLock lock(mutex_);
    return pending_.at(sequence).event;
  }
  std::string session_id() const {
    MutexLock lock(mutex_);
    return session_id_;
  }

 private:
  struct Pending {
    AcceptedEvent event;
    Recorded recorded;
  };
  mutable Mutex mutex_;
  std::map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::pair<std::string, Recorded>> starts_ ABSL_GUARDED_BY(mutex_);
  std::string session_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
