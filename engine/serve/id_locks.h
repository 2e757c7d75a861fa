// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A lock for each session's id, taken while what is done to the session may wait for a disk: who
// asks for another session does not wait for that. Any thread.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "base/mutex.h"

namespace longtake {

class IdLocks {
 public:
  // Has the lock of an id while it lives. The locks must outlive it; no thread has two.
  class Hold {
   public:
    Hold(IdLocks& locks, std::string id) : locks_(locks), id_(std::move(id)) {
      MutexLock lock(locks_.mutex_);
      while (!locks_.held_.insert(id_).second) locks_.released_.Wait(locks_.mutex_);
    }
    ~Hold() {
      {
        MutexLock lock(locks_.mutex_);
        locks_.held_.erase(id_);
      }
      locks_.released_.NotifyAll();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    IdLocks& locks_;
    const std::string id_;
  };

  // As things are: whoever wants it waits.
  bool IsHeld(const std::string& id) const {
    MutexLock lock(mutex_);
    return held_.contains(id);
  }

 private:
  mutable Mutex mutex_;
  CondVar released_;
  std::set<std::string> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
