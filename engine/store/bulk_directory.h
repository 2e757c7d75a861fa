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

#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "storage/bulk/bulk_file.h"

namespace longtake {

class BulkDirectory {
 public:
  BulkDirectory(FileSystem& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // Makes the directory; what lies there and is not named is removed.
  absl::Status Open(const std::set<std::string>& named) ABSL_LOCKS_EXCLUDED(mutex_);
  // A file for this session, with its name.
  absl::StatusOr<std::pair<std::string, std::unique_ptr<BulkFile>>> Create(int64_t session);
  // The file is whole.
  void SetBytes(const std::string& name, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // One that is not there, or cannot be removed, is left to the next Open.
  void Remove(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  FileSystem& files() const { return files_; }
  // DATA_LOSS when that is no name of a bulk file.
  absl::StatusOr<std::string> Path(const std::string& name) const;
  uint64_t bytes() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the files that are named after this session.
  uint64_t BytesOf(int64_t session) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  FileSystem& files_;
  const std::string directory_;
  uint64_t next_ = 1;  // no file here has such a number
  mutable Mutex mutex_;
  std::map<std::string, uint64_t> bytes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
