// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The bulk files of a store: which there are, and how large they are. A file is made for one
// snapshot, named after the session that it is of, and goes when no row names it any more.
//
// The store's thread, but for Path and the sizes. Errors as storage/bulk/bulk_file.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "storage/bulk/bulk_file.h"

namespace longtake {

// Whose bytes a file has: those of latents count with their session's records, in its row.
enum class BulkUse { kSnapshot, kLatents };

class BulkDirectory {
 public:
  BulkDirectory(FileSystem& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // Makes the directory; what lies there and is not named is removed.
  absl::Status Open(const std::map<std::string, BulkUse>& named) ABSL_LOCKS_EXCLUDED(mutex_);
  // A file for this session, with its name.
  absl::StatusOr<std::pair<std::string, std::unique_ptr<BulkFile>>> Create(int64_t session,
                                                                           BulkUse use)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What a snapshot's file has now.
  void SetBytes(const std::string& name, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // One that is not there, or cannot be removed, is left to the next Open.
  void Remove(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  // Those with this session's latents.
  void RemoveLatents(int64_t session) ABSL_LOCKS_EXCLUDED(mutex_);

  FileSystem& files() const { return files_; }
  // DATA_LOSS when that is no name of a bulk file.
  absl::StatusOr<std::string> Path(const std::string& name) const;
  // Whom a file is named after; 0 when that is no name of one.
  static int64_t SessionOf(const std::string& name);
  // Of snapshots; and of the files of those that are named after this session.
  uint64_t bytes() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t BytesOf(int64_t session) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Those that are there, named by a row or still being written.
  std::set<std::string> Names(BulkUse use) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The files of snapshots and their bytes, the oldest first; of one session, or of all (0).
  std::vector<std::pair<std::string, uint64_t>> OldestFirst(int64_t session) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    BulkUse use = BulkUse::kSnapshot;
    uint64_t bytes = 0;  // 0 of latents
  };
  void Add(const std::string& name, const Entry& entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // For a file that is made now. A sync of the directory that fails may have lost every name that
  // was new then, whatever a later one says: their files fail and are written anew.
  BulkFile::SyncName NameSync();

  FileSystem& files_;
  const std::string directory_;
  uint64_t next_ = 1;         // no file here has such a number
  int64_t names_failed_ = 0;  // syncs of the directory
  mutable Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of all of them
};

}  // namespace longtake
