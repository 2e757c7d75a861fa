// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The frames that takes begin with, as clients sent them, part by part: until they are latents, of
// which a record tells, and no longer. Every part proves itself.
//
// Within the store's transactions, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "storage/database/database.h"

namespace longtake {

// What a database needs for it, in SQL.
extern const char kStartSchema[];

class StartTable {
 public:
  static absl::StatusOr<std::unique_ptr<StartTable>> Open(Database& database);

  // A part that begins with this byte; one that was there is replaced. By how much the session's
  // bytes grow.
  absl::StatusOr<int64_t> Put(int64_t session, int64_t first_byte,
                              std::span<const std::byte> bytes);
  // The part that begins there; empty: none does. DATA_LOSS when it does not prove itself.
  absl::StatusOr<std::vector<std::byte>> Read(int64_t session, int64_t first_byte);
  // How many bytes are there, one part behind the other.
  absl::StatusOr<int64_t> End(int64_t session);
  // All parts of a session; the bytes they had.
  absl::StatusOr<int64_t> Remove(int64_t session);

 private:
  explicit StartTable(Database& database) : database_(database) {}
  absl::Status Prepare();
  // Those of the part that begins there.
  absl::StatusOr<int64_t> BytesOf(int64_t session, int64_t first_byte);

  Database& database_;
  std::optional<Statement> put_;
  std::optional<Statement> read_;
  std::optional<Statement> sizes_;
  std::optional<Statement> remove_;
};

}  // namespace longtake
