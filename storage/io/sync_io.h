// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// BlockIo that does each request as it is submitted, on the caller's thread: where there is no
// io_uring and threads are not worth it, and for simulated disks, which have one thread.
#pragma once

#include <cstddef>
#include <memory>

#include "base/file_system.h"
#include "storage/io/block_io.h"

namespace longtake {

// The file must outlive it.
std::unique_ptr<BlockIo> OpenSyncIo(File& file, size_t capacity);

}  // namespace longtake
