// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What every pack file is written with, wherever its payload comes from: both copies of header,
// table and crc array, and a name that it gets only when complete and on disk.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/functional/function_ref.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/pack_format.h"

namespace longtake {

// Both copies, at their places; the sizes are those of the layout, table_bytes included.
absl::Status WritePackCopies(File& file, const PackSizes& sizes, const std::string& table,
                             std::span<const uint32_t> crcs);

// Calls write with a temporary file, which is then synced and renamed. RESOURCE_EXHAUSTED, before
// anything is written, when the disk lacks disk_bytes. On any error the temporary file is removed
// and an older file of that name is untouched.
absl::Status WritePackFile(FileSystem& files, const std::string& path, uint64_t disk_bytes,
                           absl::FunctionRef<absl::Status(File& file)> write);

}  // namespace longtake
