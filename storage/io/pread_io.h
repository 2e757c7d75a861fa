// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// BlockIo by a pool of threads that call File::ReadSome and WriteSome: for kernels and containers
// without io_uring, and for files that are not the kernel's (fault injection). The threads only
// read and write; they never compute.
#pragma once

#include <cstddef>
#include <memory>

#include "base/file_system.h"
#include "storage/io/block_io.h"

namespace longtake {

// The file must outlive the reader.
std::unique_ptr<BlockIo> OpenPreadIo(File& file, size_t thread_count, size_t capacity);

}  // namespace longtake
