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
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/io/write_behind.h"

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
  // A new file; what has this name already is nothing and is emptied. sync_name makes the name
  // durable; without it the directory is synced.
  using SyncName = std::function<absl::Status()>;
  static absl::StatusOr<std::unique_ptr<BulkFile>> Create(FileSystem& files,
                                                          const std::string& path,
                                                          SyncName sync_name = {});
  // The file as a crash or an end left it, whose name is durable. Its last extent that counts ends
  // at end; what lies beyond is cut off. DATA_LOSS when the file is missing or ends before.
  static absl::StatusOr<std::unique_ptr<BulkFile>> Open(FileSystem& files, const std::string& path,
                                                        uint64_t end);

  const std::string& path() const { return file_->path(); }
  // Where what was appended ends.
  uint64_t end() const { return end_; }

  // So much an extent of so many bytes takes, its table and what comes before the next included.
  static uint64_t RoomFor(uint64_t bytes);
  // To be called before anything is appended: so much, the sum of RoomFor, is to be appended in
  // all. It goes through slices of this memory (storage/io/write_behind.h), past the page cache
  // where that can be, beside whoever appends, who is held back by the disk. The memory is in use
  // until the file goes.
  absl::Status WriteBehindThrough(std::span<std::byte> memory, uint64_t room);

  // Written, not yet durable.
  absl::StatusOr<BulkExtent> Append(std::span<const std::byte> bytes);
  // The same piece by piece, for what is too large to be in memory twice: what is appended until
  // EndExtent is one extent.
  absl::Status AppendPart(std::span<const std::byte> bytes);
  absl::StatusOr<BulkExtent> EndExtent();
  // What was appended so far is sent to the device; waits until that of the call before is there.
  // So never more than two calls' bytes are left for Sync, and whoever appends is held back by the
  // disk.
  absl::Status WriteBack();
  // All extents so far are durable, and from the first time on the file's name is.
  absl::Status Sync();

 private:
  BulkFile(std::unique_ptr<File> file, uint64_t end, SyncName sync_name)
      : file_(std::move(file)), end_(end), sync_name_(std::move(sync_name)) {}
  // An extent that is not whole yet.
  struct Begun {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    std::vector<uint32_t> crcs = {};  // of its pieces, the last one so far
    Xxh3Stream hash = {};
  };
  // From an offset on.
  struct Span {
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  absl::Status WritePart(std::span<const std::byte> bytes);
  absl::Status WriteTable(const BulkExtent& extent);
  void Count(std::span<const std::byte> bytes);
  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes);

  std::unique_ptr<File> file_;
  std::unique_ptr<WriteBehind> behind_;  // or null
  uint64_t end_ = 0;
  std::optional<Begun> begun_ = {};
  Span sent_ = {};      // to the device, by the last WriteBack
  SyncName sync_name_;  // empty once that is done
  absl::Status failed_;
};

}  // namespace longtake
