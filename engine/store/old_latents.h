// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents of a session's chunks that nobody reads any more: those before the first that it keeps,
// or all, where it is gone. Their records stay, as links of its chain, and the latents go, from
// rows and from files. A fork reads what its parent had when it was made, from the first chunk on
// that the fork keeps; that stays, and so does what a take begins with.
//
// Within the store's transactions, on its thread. Errors as the database's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/store/session_tables.h"
#include "storage/database/database.h"

namespace longtake {

// What the forks of a session read of it, and theirs: of its first records, chunks of a range.
class ForkNeeds {
 public:
  struct Need {
    int64_t records = INT64_MAX;
    int64_t first_chunk = 0;
    int64_t end_chunk = INT64_MAX;
  };
  void Add(const Need& need) { needs_.push_back(need); }
  // Whether they read the latents of this record, which are this chunk's.
  bool Has(int64_t record, int64_t chunk) const {
    return std::any_of(needs_.begin(), needs_.end(), [&](const Need& need) {
      return record < need.records && chunk >= need.first_chunk && chunk < need.end_chunk;
    });
  }

 private:
  std::vector<Need> needs_;
};

// Some of a session's records.
struct RecordRange {
  int64_t begin = 0;
  int64_t end = INT64_MAX;
};

class OldLatents {
 public:
  // The tables are of this database; both outlive it.
  static absl::StatusOr<std::unique_ptr<OldLatents>> Open(Database& database,
                                                          SessionTables& tables);

  absl::StatusOr<ForkNeeds> NeedsOf(int64_t session);
  // How many bytes Remove would give back.
  absl::StatusOr<int64_t> Count(int64_t session, int64_t first);
  // Those of chunks before this one go, of these records; how many bytes they had.
  absl::StatusOr<int64_t> Remove(int64_t session, int64_t first, const RecordRange& range = {});
  // Files of which latents went since the last call.
  std::set<std::string> TakeDropped() { return std::exchange(dropped_, {}); }
  // Whether a row names the file, which has this session's latents.
  absl::StatusOr<bool> IsNamed(int64_t session, const std::string& file);

 private:
  struct Old {
    int64_t record = 0;
    int64_t bytes = 0;
    std::string file = {};  // empty: in a row
  };
  OldLatents(Database& database, SessionTables& tables) : database_(database), tables_(tables) {}
  absl::Status Prepare();
  absl::StatusOr<std::vector<Old>> Find(int64_t session, int64_t first, const RecordRange& range);
  struct Fork {
    int64_t number = 0;
    ForkNeeds::Need need = {};
  };
  absl::StatusOr<std::vector<Fork>> Forks(int64_t session);
  struct Chunks {
    int64_t first = 0;
    int64_t end = INT64_MAX;
  };
  // Which chunks a session and its forks read, whosever they are.
  absl::StatusOr<Chunks> ReadBy(int64_t session);

  Database& database_;
  SessionTables& tables_;
  std::set<std::string> dropped_;
  std::optional<Statement> forks_;
  std::optional<Statement> in_rows_;
  std::optional<Statement> in_files_;
  std::optional<Statement> remove_row_;
  std::optional<Statement> remove_place_;
  std::optional<Statement> is_named_;
};

}  // namespace longtake
