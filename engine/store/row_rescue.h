// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A store's database is written anew from its rows, where SQLite says that something around them is
// damaged: a list of free pages, an index, a page that is somebody else's. What cannot be read is
// left out; that it is missing shows, since it proved itself.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "engine/store/session_tables.h"
#include "storage/database/database.h"

namespace longtake {

struct LostRows {
  std::string what;
  bool of_snapshots = true;  // alone, which only save time
};

// By numbers of sessions. known: rows of sessions that are in memory, which are not read. tables:
// of the database that is written, which has nothing in them. Errors that are no damage end it. One
// thread.
absl::StatusOr<std::map<int64_t, LostRows>> RescueRows(Database& from, Database& to,
                                                       SessionTables& tables,
                                                       const std::vector<SessionRow>& known);

}  // namespace longtake
