// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The best way to read and write a file that this machine allows: opened directly where the file
// system has that, by io_uring where the kernel has that, otherwise by threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/io/block_io.h"

namespace longtake {

enum class IoChoice { kAuto, kUring, kPread };

// An open file, and why it is not read past the page cache; empty when it is.
struct BlockFile {
  std::unique_ptr<File> file;
  std::string buffered_reason;

  bool direct() const { return buffered_reason.empty(); }
};

// Opens directly, otherwise buffered; the error is that of the buffered attempt.
absl::StatusOr<BlockFile> OpenBlockFile(
    const std::function<absl::StatusOr<std::unique_ptr<File>>(ReadMode)>& open);

struct BlockIoOptions {
  IoChoice choice = IoChoice::kAuto;
  size_t depth = 32;  // requests in flight
  size_t thread_count = 8;
};

struct OpenedBlockIo {
  std::unique_ptr<BlockIo> io;
  std::string name;    // "io_uring direct", "pread direct", "pread buffered"
  std::string reason;  // why not the first choice; empty when it is
};

// The file and the buffers, which are those that most requests name, must outlive the result.
// UNAVAILABLE when io_uring is demanded and refused. A file that is to be read by io_uring must not
// be empty.
absl::StatusOr<OpenedBlockIo> OpenBlockIo(const BlockFile& file,
                                          std::span<const std::span<std::byte>> buffers,
                                          const BlockIoOptions& options);

}  // namespace longtake
