// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A new file that is written from its beginning to its end: what comes is gathered in a few slices
// of memory, and while one fills the others are on their way to the disk, past the page cache where
// the file system allows that. A file of gigabytes is then written as fast as the disk takes it,
// and its sync has nothing left to do.
//
// Errors as in storage/io/block_io.h; the first one stays. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/io/transfer_queue.h"

namespace longtake {

class WriteBehind {
 public:
  static constexpr size_t kSlices = 3;
  static constexpr uint64_t kBlockBytes = 4096;

  // The file is empty, outlives this, and is written in no other way from now on; it gets room for
  // so many bytes at once, RESOURCE_EXHAUSTED when the disk lacks them. The slices lie in this
  // memory, whole blocks each, which is nobody else's until this goes.
  static absl::StatusOr<std::unique_ptr<WriteBehind>> Open(File& file, uint64_t bytes,
                                                           std::span<std::byte> memory);

  // Behind all that was written before; zeros lie between.
  absl::Status Write(uint64_t offset, std::span<const std::byte> bytes);
  // All of it is written, with zeros to the end of its last block, behind which the next may be;
  // whether it is durable is the file's Sync to say.
  absl::Status Flush();

 private:
  WriteBehind(std::unique_ptr<BlockIo> io, std::span<std::byte> memory);
  // Takes bytes, or zeros when that is null.
  absl::Status Put(const std::byte* bytes, uint64_t count);
  absl::Status Send();
  absl::Status AwaitSlice(size_t slice);

  const std::span<std::byte> memory_;
  const uint64_t slice_bytes_;
  SystemClock clock_;  // of waits, which nothing depends on
  std::array<bool, kSlices> under_way_ = {};
  size_t slice_ = 0;     // the one that fills
  uint64_t offset_ = 0;  // where it begins in the file
  uint64_t filled_ = 0;  // of it
  absl::Status failed_;
  TransferQueue queue_;  // last: it waits for what is on its way from the slices
};

}  // namespace longtake
