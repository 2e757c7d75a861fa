// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which lives of sessions are in memory, and who wants to be told when a session has left it, with
// all of its lives: one that was attached to again while it left has several for a while. Any
// thread; calls come without locks.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "engine/session/event_sink.h"

namespace longtake {

class Departures {
 public:
  void Come(const SessionKey& session) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    here_.emplace(session.id, session.life);
  }
  bool IsHere(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return LastOf(id) != 0;
  }
  // left is called once, when the lives of the session that are here now have left. False when
  // there is none: it is not called then.
  [[nodiscard]] bool Await(const std::string& id, std::function<void()> left)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    const uint64_t last = LastOf(id);
    if (last != 0) waiting_.push_back({.id = id, .last = last, .left = std::move(left)});
    return last != 0;
  }
  void Left(const SessionKey& session) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<Waiting> told;
    {
      MutexLock lock(mutex_);
      here_.erase({session.id, session.life});
      told = TakeTold();
    }
    for (const Waiting& waiting : told) waiting.left();
  }
  void AllLeft() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<Waiting> told;
    {
      MutexLock lock(mutex_);
      here_.clear();
      told = TakeTold();
    }
    for (const Waiting& waiting : told) waiting.left();
  }

 private:
  struct Waiting {
    std::string id;
    uint64_t last = 0;  // of the lives that it waits for
    std::function<void()> left;
  };

  // Lives are numbered from 1 on, later ones higher; 0: none is here.
  uint64_t LastOf(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto end = here_.upper_bound({id, UINT64_MAX});
    if (end == here_.begin()) return 0;
    const auto& [last_id, life] = *std::prev(end);
    return last_id == id ? life : 0;
  }
  bool IsAwaited(const Waiting& waiting) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto first = here_.lower_bound({waiting.id, 0});
    return first != here_.end() && first->first == waiting.id && first->second <= waiting.last;
  }
  std::vector<Waiting> TakeTold() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<Waiting> told;
    std::vector<Waiting> waiting;
    for (Waiting& each : waiting_) {
      (IsAwaited(each) ? waiting : told).push_back(std::move(each));
    }
    waiting_.swap(waiting);
    return told;
  }

  mutable Mutex mutex_;
  std::set<std::pair<std::string, uint64_t>> here_ ABSL_GUARDED_BY(mutex_);  // ids and lives
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
