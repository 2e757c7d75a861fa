// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file to work in, on a disk: extents of whole blocks, which are taken and given back. It has no
// name, is taken whole at start and is gone with the process. Any thread; an extent's contents
// belong to who took it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "storage/io/open_block_io.h"

namespace longtake {

class ScratchFile {
 public:
  static constexpr uint64_t kBlockBytes = 4096;

  // A scratch file of so many bytes, rounded down to blocks, in a directory. RESOURCE_EXHAUSTED
  // when the disk lacks them.
  static absl::StatusOr<std::unique_ptr<ScratchFile>> Create(FileSystem& files,
                                                             const std::string& directory,
                                                             uint64_t bytes_max);

  const BlockFile& file() const { return file_; }
  uint64_t bytes_max() const { return bytes_max_; }
  uint64_t bytes_taken() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Extents of extent_bytes (whole blocks) each; their offsets. RESOURCE_EXHAUSTED names what is
  // free, which may not lie together.
  absl::StatusOr<std::vector<uint64_t>> Take(uint64_t extent_bytes, uint64_t count)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Give(std::span<const uint64_t> extents, uint64_t extent_bytes) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  ScratchFile() = default;
  void GiveLocked(uint64_t offset, uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  BlockFile file_;
  uint64_t bytes_max_ = 0;
  mutable Mutex mutex_;
  std::map<uint64_t, uint64_t> free_ ABSL_GUARDED_BY(mutex_);  // offset to bytes, none touch
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
