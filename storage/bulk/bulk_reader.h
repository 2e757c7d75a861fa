// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads an extent of a bulk file back, piece by piece, for what is too large to be in memory twice.
// No byte is lent before the checksum of its piece matched, and none of the last piece before the
// hash of all did. Nothing is allocated from sizes that the file does not have.
//
// Errors: DATA_LOSS, with path and offset, when the file is missing, too short or not what was
// appended; otherwise those of base/file_system.h. After an error the reader is of no more use. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/bulk/bulk_file.h"
#include "storage/bulk/extent_check.h"

namespace longtake {

class BulkReader {
 public:
  // Waits for nothing: the disk begins with the first pieces and with the table of checksums, which
  // is verified before the first piece is lent.
  static absl::StatusOr<std::unique_ptr<BulkReader>> Open(FileSystem& files,
                                                          const std::string& path,
                                                          const BulkExtent& extent);

  // Of the next piece: kBulkPieceBytes, fewer for the last, 0 behind it.
  size_t next_bytes() const { return check_.next_bytes(); }
  // The next piece, into exactly next_bytes() of the caller's.
  absl::Status ReadInto(std::span<std::byte> out);
  // The next piece, lent until the next call; empty behind the last.
  absl::StatusOr<std::span<const std::byte>> Next();

 private:
  BulkReader(std::unique_ptr<File> file, const BulkExtent& extent)
      : file_(std::move(file)), check_(file_->path(), extent) {}
  void ReadAhead();
  absl::Status ReadTable();

  std::unique_ptr<File> file_;
  ExtentCheck check_;
  uint64_t ahead_ = 0;  // bytes of the extent that were asked for
  std::vector<std::byte> piece_;
};

// The whole extent.
absl::StatusOr<std::vector<std::byte>> ReadBulk(FileSystem& files, const std::string& path,
                                                const BulkExtent& extent);

}  // namespace longtake
