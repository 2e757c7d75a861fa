// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Looks at an SQLite database's log before SQLite does. SQLite takes a log as far as it is valid
// and says nothing of the rest: after a crash that is right, but a damaged byte makes it drop every
// later transaction the same way. The two can be told apart, because every commit syncs the log: a
// frame of a later transaction was written when all of the earlier were on disk.
//
// What is not found: a loss that leaves no trace (the log's end gone, whole transactions of it),
// one that takes both a commit frame's checksum and the next frame of a last transaction, and
// damage to the page of the second-to-last commit frame when its header lies across two sectors.
// Assumed is what SQLite assumes by default, that a write changes no byte beside it (power-safe
// overwrite).
#pragma once

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace longtake {

enum class WalState {
  kNone,      // no log, or no transaction in it
  kWhole,     // all there is belongs to committed transactions
  kTornTail,  // frames behind the last commit: a transaction that a crash or a rollback cut short
};

struct WalScan {
  WalState state = WalState::kNone;
  uint64_t commits = 0;      // transactions that SQLite will find
  uint64_t frames = 0;       // their frames
  uint64_t tail_frames = 0;  // with the same salts behind them; SQLite ignores them
};

// Of the log of the database with this path, which nobody has open. DATA_LOSS names the log, the
// frame (from 1) and its offset when a transaction that was committed is damaged; otherwise the
// errors of base/file_system.h. The log is written again and synced first: what a killed process
// wrote and did not sync, or failed to, SQLite would show as committed, and go on behind it.
absl::StatusOr<WalScan> ScanWal(FileSystem& files, const std::string& database_path);

}  // namespace longtake
