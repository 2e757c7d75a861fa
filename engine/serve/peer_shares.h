// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the sessions of one peer may take of places and memory, so that some is left for the others.
// A share consists of ledgers, as the whole does. Bytes return to it when the object that holds the
// memory is gone, which may be later than the session is deleted. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/session/memory_ledger.h"

namespace longtake {

struct PeerShare {
  std::string peer;
  std::shared_ptr<Ledger> places;   // counts sessions
  std::shared_ptr<Ledger> kv;       // bytes of keys and values in memory
  std::shared_ptr<Ledger> kv_file;  // and in the file
  MemoryLedger memory;              // all else, a part of all sessions' ledger
};

class PeerShares {
 public:
  struct Whole {
    uint64_t places = 0;
    uint64_t kv = 0;
    uint64_t kv_file = 0;
    MemoryLedger memory;
  };

  // With 100 per cent there are no shares.
  PeerShares(uint64_t percent, Whole whole) : percent_(percent), whole_(std::move(whole)) {}

  // Null for an empty peer and where there are no shares.
  std::shared_ptr<const PeerShare> Of(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  uint64_t Part(uint64_t whole) const;
  std::shared_ptr<Ledger> PartOf(const std::shared_ptr<Ledger>& whole) const;
  // Drops the shares of which nothing is taken.
  void ForgetIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t percent_;
  const Whole whole_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const PeerShare>> shares_ ABSL_GUARDED_BY(mutex_);
};

// RESOURCE_EXHAUSTED: SESSION_TOO_LARGE when the share never has room for so much, else
// PEER_SHARE_EXHAUSTED. what names the ledger's unit: "bytes for keys and values".
absl::Status CheckShare(const PeerShare& share, const Ledger& ledger, const std::string& what,
                        uint64_t amount, uint64_t working_bytes = 0);

}  // namespace longtake
