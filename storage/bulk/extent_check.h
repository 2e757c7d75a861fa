// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the bytes of an extent are held to as they are read piece by piece from its beginning: each
// piece to its checksum, all of them, with the last piece, to their hash. DATA_LOSS, with path and
// offset, when they are not what was appended. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "storage/bulk/bulk_file.h"

namespace longtake {

class ExtentCheck {
 public:
  ExtentCheck(std::string path, const BulkExtent& extent)
      : path_(std::move(path)), extent_(extent) {}

  const BulkExtent& extent() const { return extent_; }
  uint64_t table_offset() const { return extent_.offset + extent_.bytes; }
  // Where the next piece lies, and its bytes: kBulkPieceBytes, fewer for the last, 0 behind it.
  uint64_t next_offset() const { return extent_.offset + checked_; }
  size_t next_bytes() const;

  // It lies where extents do, and the file has all of it: before anything is read or allocated.
  absl::Status CheckPlace(uint64_t file_bytes) const;
  bool has_table() const { return has_table_; }
  // Before the first piece.
  absl::Status CheckTable(std::span<const std::byte> table);
  absl::Status CheckPiece(std::span<const std::byte> piece);

 private:
  absl::Status Damaged(uint64_t offset, const std::string& what) const;

  std::string path_;
  BulkExtent extent_;
  bool has_table_ = false;
  std::vector<uint32_t> table_;
  uint64_t checked_ = 0;  // bytes
  Xxh3Stream hash_;
};

}  // namespace longtake
