// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The store's database on its disk: found at start, judged before it is opened, and written anew
// when its disk failed to sync. After such a failure nobody knows what of the last writes is on the
// disk, and a second sync would say ok without having brought them there. So what was committed
// before is copied to a new file, which takes the place of the old once it is synced and was read
// back: a page that was changed or misplaced on its way would be everybody's loss.
//
// The file's name has a number (`sessions-1.db`), and the highest counts: a copy gets its name once
// it is whole, so that a crash at any moment leaves one that is.
//
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "engine/store/old_latents.h"
#include "engine/store/row_rescue.h"
#include "engine/store/session_tables.h"
#include "engine/store/snapshot_table.h"
#include "engine/store/start_table.h"
#include "storage/database/database.h"

namespace longtake {

class StoreDatabase {
 public:
  // Opens what the directory has, or begins. DATA_LOSS names the log and the place in it when a
  // transaction that was committed is damaged; FAILED_PRECONDITION as SessionTables::Open.
  static absl::StatusOr<std::unique_ptr<StoreDatabase>> Open(FileSystem& files,
                                                             std::string directory,
                                                             std::string vfs);

  SessionTables& tables() { return *tables_; }
  SnapshotTable& snapshots() { return *snapshots_; }
  StartTable& starts() { return *starts_; }
  OldLatents& old_latents() { return *old_latents_; }

  // After an error Abandon must follow; then the next Begin tries what may mend it.
  absl::Status Begin();
  absl::Status Commit() { return tables_->Commit(); }
  void Abandon();
  // Between transactions: its rows in a new file, and those of which some could not be read.
  absl::StatusOr<std::map<int64_t, LostRows>> Rescue(const std::vector<SessionRow>& known);
  bool UnderWay() const { return database_->in_transaction(); }

 private:
  StoreDatabase(FileSystem& files, std::string directory, std::string vfs)
      : files_(files), directory_(std::move(directory)), vfs_(std::move(vfs)) {}
  std::string PathOf(int64_t number) const;
  // The highest number of a file that is there; 0: none. Removes what a crash left beside it.
  absl::StatusOr<int64_t> FindNumber();
  absl::Status OpenNumber(int64_t number);
  // What is committed in another, which stays open.
  absl::Status WriteAnew(Database& from);
  // Whether the copy that was written and synced has all of it, as the disk gives it back.
  absl::Status ReadBack(Database& from, const std::string& copy);
  void RemoveAll(const std::string& path);
  void Remove(const std::string& path);

  FileSystem& files_;
  const std::string directory_;
  const std::string vfs_;
  int64_t number_ = 0;       // of the file that is open
  int64_t last_number_ = 0;  // that was tried
  // A file of a higher number has its name and could not be opened: what went on in this one would
  // be lost to the next process, which takes that one.
  bool superseded_ = false;
  std::unique_ptr<Database> database_;
  std::unique_ptr<SessionTables> tables_;
  std::unique_ptr<SnapshotTable> snapshots_;
  std::unique_ptr<StartTable> starts_;
  std::unique_ptr<OldLatents> old_latents_;
};

}  // namespace longtake
