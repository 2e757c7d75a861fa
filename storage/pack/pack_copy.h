// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One of a pack file's two copies of header, table and crc array, read and checked as a whole.
// Shared by the reader, which takes the first that is sound, and the verifier, which wants both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/pack_format.h"

namespace longtake {

struct PackCopy {
  PackHeader header;
  PackTable table;
  std::string table_text;
  std::vector<uint32_t> block_crcs;
};

// INVALID_ARGUMENT saying what is wrong with it; errors of the file itself pass through.
absl::StatusOr<PackCopy> ReadPackCopy(File& file, uint64_t file_bytes, uint32_t copy);

}  // namespace longtake
