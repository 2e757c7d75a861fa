// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Ranges of one file, read one behind the other through a few slices of memory: while one is used,
// the disk works on those that follow. Past the page cache where the file system has that, as what
// is read so is not read again, and a cache would cost more than the disk.
//
// Errors: those of OpenRead and of BlockCompletion, and UNAVAILABLE when the disk does not answer.
// After an error it is of no more use. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/io/block_io.h"
#include "storage/io/transfer_queue.h"

namespace longtake {

class ReadAhead {
 public:
  static constexpr size_t kSlices = 8;
  static constexpr uint64_t kBlockBytes = 4096;

  // The slices lie in this memory, whole blocks each and at whole blocks, which is nobody else's
  // until this goes.
  static absl::StatusOr<std::unique_ptr<ReadAhead>> Open(FileSystem& files, const std::string& path,
                                                         std::span<std::byte> memory);

  // When it was opened.
  uint64_t file_bytes() const { return file_bytes_; }
  // Bytes that the file has, to be read behind those of the calls before.
  void Add(uint64_t offset, uint64_t bytes);
  // The next of them, lent until the next call: as many as lie in one slice that begins with a
  // block, fewer where their range ends. There must be some.
  absl::StatusOr<std::span<const std::byte>> Next();

 private:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  // A slice that is read into, or lent: the oldest.
  struct Slice {
    TransferQueue::Transfer* read = nullptr;
    std::span<const std::byte> wanted = {};  // of its memory
  };
  ReadAhead(std::unique_ptr<File> file, std::unique_ptr<BlockIo> io, uint64_t file_bytes,
            std::span<std::byte> memory);
  void ReadSlice();

  const std::unique_ptr<File> file_;
  const uint64_t file_bytes_;
  const std::span<std::byte> memory_;
  const uint64_t slice_bytes_;
  SystemClock clock_;         // of waits, which nothing depends on
  std::deque<Range> ranges_;  // that are still to be asked for
  std::deque<Slice> slices_;  // in order of use
  size_t next_slice_ = 0;     // of memory
  bool lent_ = false;         // the first of slices_
  TransferQueue queue_;       // last: it waits for what is on its way into the slices
};

}  // namespace longtake
