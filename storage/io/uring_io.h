// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// BlockIo by io_uring with O_DIRECT, registered file and registered buffers. The kernel keeps
// its own queue, so the disk works on while the caller computes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/io/block_io.h"

namespace longtake {

struct UringIoResult {
  std::unique_ptr<BlockIo> io;
  std::string note;  // empty, or what is missing: "buffers not registered: RLIMIT_MEMLOCK ..."
};

// The file must outlive the result; buffers are those that most requests name (others work too, a
// little slower) and must outlive it as well. UNAVAILABLE with the kernel's reason when io_uring is
// not allowed here or cannot read this file, found out by a trial read of the first block.
absl::StatusOr<UringIoResult> OpenUringIo(File& file, std::span<const std::span<std::byte>> buffers,
                                          size_t capacity);

}  // namespace longtake
