// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Extents of one bulk file, read back one after the other at the disk's own pace
// (storage/io/read_ahead.h), for what is too large to be in memory twice. What BulkReader promises
// of one extent holds for each of them; errors as its own, or ReadAhead's. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/bulk/bulk_file.h"
#include "storage/bulk/extent_check.h"
#include "storage/io/read_ahead.h"

namespace longtake {

class BulkSequence {
 public:
  // Through so much memory, which begins at a multiple of kBulkAlignment, extents of at most so
  // many bytes are read.
  static uint64_t MemoryBytes(uint64_t extent_bytes);
  static constexpr uint64_t kMemoryBytesMax = ReadAhead::kSlices * kBulkPieceBytes;

  static absl::StatusOr<std::unique_ptr<BulkSequence>> Open(FileSystem& files,
                                                            const std::string& path,
                                                            std::span<const BulkExtent> extents,
                                                            std::span<std::byte> memory);

  // The next piece, lent until the next call; empty once behind the last one of each extent.
  absl::StatusOr<std::span<const std::byte>> Next();

 private:
  explicit BulkSequence(std::unique_ptr<ReadAhead> ahead) : ahead_(std::move(ahead)) {}
  absl::Status Add(const std::string& path, const BulkExtent& extent);
  absl::Status ReadTable(ExtentCheck& check);

  const std::unique_ptr<ReadAhead> ahead_;
  std::deque<ExtentCheck> checks_;  // of what is not read yet
};

}  // namespace longtake
