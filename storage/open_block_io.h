// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The best way to read and write a file that this machine allows: io_uring on a file opened
// directly, otherwise threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/block_io.h"

namespace longtake {

enum class IoChoice { kAuto, kUring, kPread };

struct BlockIoOptions {
  IoChoice choice = IoChoice::kAuto;
  size_t depth = 32;  // requests in flight
  size_t thread_count = 8;
  bool direct = true;       // how the file was opened
  std::string reason = {};  // why it is not direct
};

struct OpenedBlockIo {
  std::unique_ptr<BlockIo> io;
  std::string name;    // "io_uring direct", "pread direct", "pread buffered"
  std::string reason;  // why not the first choice; empty when it is
};

// The file and the buffers, which are those that most requests name, must outlive the result.
// UNAVAILABLE when io_uring is demanded and refused. A file that is to be read by io_uring must not
// be empty.
absl::StatusOr<OpenedBlockIo> OpenBlockIo(File& file, std::span<const std::span<std::byte>> buffers,
                                          const BlockIoOptions& options);

}  // namespace longtake
