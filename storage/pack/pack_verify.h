// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Walks every byte of a pack file: both headers, tables and crc arrays, every CRC block against its
// CRC32C, every part, row table and resident section against its XXH3-128, and all padding for
// zero.
#pragma once

#include <optional>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/layer_share.h"
#include "storage/pack/pack_writer.h"

namespace longtake {

// OK only when no bit is out of place. DATA_LOSS names the first thing that is, also when the
// second copy would save the reader. Of a twin only the layers of its share are looked at. One
// thread; holds 1 MiB or one CRC block.
absl::Status VerifyPack(FileSystem& files, const std::string& path, const PackProgress& progress,
                        const std::optional<LayerShare>& twin_share = std::nullopt);

}  // namespace longtake
