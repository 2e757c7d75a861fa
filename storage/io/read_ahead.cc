// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/read_ahead.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "storage/io/open_block_io.h"
#include "storage/io/sync_io.h"

namespace longtake {
namespace {

constexpr int64_t kTimeoutNanos = 60LL * 1'000'000'000;
constexpr size_t kThreads = 4;

// Files of a simulated disk know one thread.
absl::StatusOr<std::unique_ptr<BlockIo>> OpenIo(const BlockFile& file,
                                                std::span<std::byte> memory) {
  if (file.file->fd() < 0) return OpenSyncIo(*file.file, ReadAhead::kSlices);
  LT_ASSIGN_OR_RETURN(
      OpenedBlockIo opened,
      OpenBlockIo(file, {{memory}}, {.depth = ReadAhead::kSlices, .thread_count = kThreads}));
  return std::move(opened.io);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadAhead>> ReadAhead::Open(FileSystem& files,
                                                           const std::string& path,
                                                           std::span<std::byte> memory) {
  LT_CHECK(!memory.empty() && memory.size() % (kSlices * kBlockBytes) == 0);
  LT_ASSIGN_OR_RETURN(const uint64_t bytes, files.Size(path));
  // The last bytes of a file that ends inside a block cannot be read directly.
  const bool whole = bytes % kBlockBytes == 0;
  LT_ASSIGN_OR_RETURN(BlockFile file, OpenBlockFile([&](ReadMode mode) {
                        return files.OpenRead(path, whole ? mode : ReadMode::kBuffered);
                      }));
  if (!whole) file.buffered_reason = "it ends inside a block";
  LT_ASSIGN_OR_RETURN(std::unique_ptr<BlockIo> io, OpenIo(file, memory));
  return std::unique_ptr<ReadAhead>(
      new ReadAhead(std::move(file.file), std::move(io), bytes, memory));
}

ReadAhead::ReadAhead(std::unique_ptr<File> file, std::unique_ptr<BlockIo> io, uint64_t file_bytes,
                     std::span<std::byte> memory)
    : file_(std::move(file)),
      file_bytes_(file_bytes),
      memory_(memory),
      slice_bytes_(memory.size() / kSlices),
      queue_(std::move(io), {.request_bytes = slice_bytes_,
                             .timeout_nanos = kTimeoutNanos,
                             .add_next = [] { return false; },
                             .clock = &clock_}) {}

void ReadAhead::Add(uint64_t offset, uint64_t bytes) {
  LT_CHECK(offset <= file_bytes_ && bytes <= file_bytes_ - offset);
  if (bytes > 0) ranges_.push_back({.begin = offset, .end = offset + bytes});
}

absl::StatusOr<std::span<const std::byte>> ReadAhead::Next() {
  if (std::exchange(lent_, false)) {
    queue_.Drop(*slices_.front().read);
    slices_.pop_front();
  }
  while (slices_.size() < kSlices && !ranges_.empty()) ReadSlice();
  LT_CHECK(!slices_.empty());
  const TransferQueue::Transfer& read = *slices_.front().read;
  LT_RETURN_IF_ERROR(queue_.Await([&read] { return read.settled(); }));
  LT_RETURN_IF_ERROR(read.status());
  lent_ = true;
  return slices_.front().wanted;
}

// Whole blocks, of which those that the file does not have are not asked for.
void ReadAhead::ReadSlice() {
  Range& range = ranges_.front();
  const uint64_t skipped = range.begin % kBlockBytes;
  const uint64_t part = std::min(range.end - range.begin, slice_bytes_ - skipped);
  const uint64_t offset = range.begin - skipped;
  const uint64_t bytes =
      std::min(CeilDiv(skipped + part, kBlockBytes) * kBlockBytes, file_bytes_ - offset);
  const auto memory = memory_.subspan(next_slice_ * slice_bytes_, bytes);
  slices_.push_back({.read = &queue_.Add({.offset = offset, .memory = memory}),
                     .wanted = memory.subspan(skipped, part)});
  next_slice_ = (next_slice_ + 1) % kSlices;
  range.begin += part;
  if (range.begin == range.end) ranges_.pop_front();
}

}  // namespace longtake
