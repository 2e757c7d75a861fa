// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/open_block_io.h"

#include <utility>

#include "storage/pread_io.h"
#include "storage/uring_io.h"

namespace longtake {

absl::StatusOr<OpenedBlockIo> OpenBlockIo(File& file, std::span<const std::span<std::byte>> buffers,
                                          const BlockIoOptions& options) {
  OpenedBlockIo out;
  out.reason = options.reason;
  if (options.choice != IoChoice::kPread && options.direct) {
    absl::StatusOr<UringIoResult> uring = OpenUringIo(file, buffers, options.depth);
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
  out.io = OpenPreadIo(file, options.thread_count, options.depth);
  out.name = options.direct ? "pread direct" : "pread buffered";
  return out;
}

}  // namespace longtake
