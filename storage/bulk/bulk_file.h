// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Bytes too many for a row of the database, in a file beside it that only grows. What is appended
// is an extent; a row that names it makes it count, and is committed after Sync. What no row names
// (after a crash, behind the last extent that one does) is nothing. Format: docs/formats.md, "Bulk
// file".
//
// Errors name the path: those of base/file_system.h. A BulkFile that failed to write or to sync is
// of no more use: every later call returns the first error, and nothing is synced again, because a
// second sync would say ok without having brought the bytes to the disk. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/file_system.h"
#include "base/status_macros.h"

namespace longtake {

// One checksum covers so many bytes of an extent; the last piece may be shorter.
constexpr uint64_t kBulkPieceBytes = 1 << 20;
// Extents begin at multiples of this, so that they can be read around the page cache.
constexpr uint64_t kBulkAlignment = 4096;

// What must be known of appended bytes to read them back verified.
struct BulkExtent {
  uint64_t offset = 0;
  uint64_t bytes = 0;      // without the table of checksums that follows them
  uint32_t table_crc = 0;  // CRC32C of that table
  Hash128 hash = {};       // XXH3 of the bytes

  bool operator==(const BulkExtent&) const = default;
  // Bytes of the table.
  uint64_t table_bytes() const;
  // Where the table ends; nullopt when that overflows.
  std::optional<uint64_t> end() const;
};

class BulkFile {
 public:
  // A new file; what has this name already is nothing and is emptied.
  static absl::StatusOr<std::unique_ptr<BulkFile>> Create(FileSystem& files,
                                                          const std::string& path);
  // The file as a crash or an end left it. Its last extent that counts ends at end; what lies
  // beyond is cut off. DATA_LOSS when the file is missing or ends before.
  static absl::StatusOr<std::unique_ptr<BulkFile>> Open(FileSystem& files, const std::string& path,
                                                        uint64_t end);

  const std::string& path() const { return file_->path(); }
  // Where what was appended ends.
  uint64_t end() const { return end_; }

  // Written, not yet durable.
  absl::StatusOr<BulkExtent> Append(std::span<const std::byte> bytes);
  // All extents so far are durable, and from the first time on the file's name is.
  absl::Status Sync();

 private:
  BulkFile(FileSystem& files, std::unique_ptr<File> file, uint64_t end)
      : files_(files), file_(std::move(file)), end_(end) {}
  absl::Status Write(const BulkExtent& extent, std::span<const std::byte> bytes,
                     std::span<const uint32_t> table);

  FileSystem& files_;
  std::unique_ptr<File> file_;
  uint64_t end_ = 0;
  bool name_synced_ = false;
  absl::Status failed_;
};

}  // namespace longtake
