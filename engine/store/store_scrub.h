// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads all that the store has, from the first session to the last, and verifies it, so that damage
// is known before somebody needs what it hit. Slowly: a little at a time, so many bytes a second,
// one pass after the other.
//
// Between the store's transactions, on its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/store/latent_files.h"
#include "engine/store/store_database.h"
#include "engine/store/stored_snapshots.h"

namespace longtake {

class BulkReader;

class StoreScrub {
 public:
  struct Options {
    uint64_t bytes_per_second = 0;  // 0: nothing is read
    // A pass begins no sooner than so long after the one before did.
    int64_t pass_nanos = 24LL * 3600 * 1'000'000'000;
  };
  // What a pass sees of a session: each damage, and empty at the end of one that has none. A
  // session whose own row is damaged has a number alone, and what keeps a pass from its end is of
  // number 0.
  using Report = std::function<void(const SessionRow& session, const std::string& damage)>;

  // All must outlive it.
  StoreScrub(const Options& options, StoreDatabase& database, const LatentFiles& latents,
             const StoredSnapshots& snapshots, Clock& clock, Report report);

  // Reads on if it is time to. When it is again, in monotonic nanoseconds.
  int64_t Turn();

  struct Stats {
    uint64_t passes = 0;  // that came to their end
    uint64_t bytes = 0;   // that were read
  };
  const Stats& stats() const { return stats_; }

 private:
  // Reads a little, and says how many bytes that was. May add more to do.
  using Job = std::function<absl::StatusOr<uint64_t>()>;

  // What is not damage may pass: it is tried some times.
  bool MayPass(const absl::Status& status);
  absl::StatusOr<uint64_t> BeginSession();
  void EndSession();
  absl::StatusOr<uint64_t> ReadRecords(ChainEnd from);
  // Whose latents nobody reads, so that they may be gone: those before this one that no fork needs.
  struct OldChunks {
    int64_t end = 0;
    ForkNeeds needs = {};
    bool Has(int64_t record, int64_t chunk) const {
      return chunk < end && !needs.Has(record, chunk);
    }
  };
  absl::StatusOr<OldChunks> OldChunksOf(int64_t session);
  void AddLatents(const RecordBytes& bytes, int64_t number, const OldChunks& old);
  absl::StatusOr<uint64_t> ReadStart(int64_t first_byte);
  absl::StatusOr<uint64_t> ReadSnapshots();
  using PlaceReader = std::unique_ptr<BulkReader>;  // null: not opened
  absl::StatusOr<uint64_t> ReadPlace(const BulkPlace& place,
                                     const std::shared_ptr<PlaceReader>& reader);
  void Tell(const std::string& damage);

  const Options options_;
  StoreDatabase& database_;
  const LatentFiles& latents_;
  const StoredSnapshots& snapshots_;
  Clock& clock_;
  const Report report_;
  Stats stats_;
  int64_t due_nanos_ = 0;
  int64_t begin_nanos_ = 0;  // of the pass

  // The session in work, or the last one that was; number 0: a pass begins.
  SessionRow session_ = {};
  bool in_session_ = false;
  bool damaged_ = false;
  std::deque<Job> jobs_;
  int tries_ = 0;  // of the job at the front, or of a session's begin
};

}  // namespace longtake
