// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/open_block_io.h"

#include <utility>

#include "storage/io/pread_io.h"
#include "storage/io/uring_io.h"

namespace longtake {

absl::StatusOr<BlockFile> OpenBlockFile(
    const std::function<absl::StatusOr<std::unique_ptr<File>>(ReadMode)>& open) {
  BlockFile out;
  absl::StatusOr<std::unique_ptr<File>> file = open(ReadMode::kDirect);
  if (!file.ok()) {
    out.buffered_reason = "no direct I/O: " + std::string(file.status().message());
    file = open(ReadMode::kBuffered);
  }
  LT_ASSIGN_OR_RETURN(out.file, std::move(file));
  return out;
}

absl::StatusOr<OpenedBlockIo> OpenBlockIo(const BlockFile& file,
                                          std::span<const std::span<std::byte>> buffers,
                                          const BlockIoOptions& options) {
  OpenedBlockIo out;
  out.reason = file.buffered_reason;
  if (options.choice != IoChoice::kPread && file.direct()) {
    absl::StatusOr<UringIoResult> uring = OpenUringIo(*file.file, buffers, options.depth);
    if (uring.ok()) {
      out.io = std::move(uring->io);
      out.name = "io_uring direct";
      out.reason = uring->note;
      return out;
    }
    out.reason = std::string(uring.status().message());
  }
  if (options.choice == IoChoice::kUring) return absl::UnavailableError(out.reason);
  if (options.choice == IoChoice::kPread && out.reason.empty()) out.reason = "as configured";
  out.io = OpenPreadIo(*file.file, options.thread_count, options.depth);
  out.name = file.direct() ? "pread direct" : "pread buffered";
  return out;
}

}  // namespace longtake
