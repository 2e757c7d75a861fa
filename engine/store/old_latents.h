// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents of a session's chunks before the first that it keeps: their records stay, as links of its
// chain, and the latents go, from rows and from files. A fork reads what its parent had when it was
// made; that stays, whichever chunk it is of, and so does what a take begins with.
//
// Within the store's transactions, on its thread. Errors as the database's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "storage/database/database.h"

namespace longtake {

class OldLatents {
 public:
  static absl::StatusOr<std::unique_ptr<OldLatents>> Open(Database& database);

  // The number of the first record of this session that no fork has.
  absl::StatusOr<int64_t> EndOfForks(int64_t session);
  // How many bytes Remove would give back.
  absl::StatusOr<int64_t> Count(int64_t session, int64_t first);
  // Those of chunks before this one go; how many bytes they had.
  absl::StatusOr<int64_t> Remove(int64_t session, int64_t first);
  // Whether they are there, in a row or in a file.
  absl::StatusOr<bool> Has(int64_t session, int64_t record);
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
  explicit OldLatents(Database& database) : database_(database) {}
  absl::Status Prepare();
  absl::StatusOr<std::vector<Old>> Find(int64_t session, int64_t first);

  Database& database_;
  std::set<std::string> dropped_;
  std::optional<Statement> forks_;
  std::optional<Statement> in_rows_;
  std::optional<Statement> in_files_;
  std::optional<Statement> remove_row_;
  std::optional<Statement> remove_place_;
  std::optional<Statement> has_;
  std::optional<Statement> is_named_;
};

}  // namespace longtake
