// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Writes one pack file as a stream: the layout is fixed first from the declarations, then each
// tensor's bytes are asked for once, in file order, and checksummed on the way. Nothing larger than
// one CRC block is held. The file appears under its name only when complete and on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/pack_format.h"
#include "storage/tensor.h"

namespace longtake {

constexpr uint64_t kPackPartBytesMax = 160ull << 20;

struct PackSpec {
  std::string component;  // "transformer", "text_encoder", "vae"
  std::string config;     // published config.json, verbatim
  std::vector<TensorDecl> resident;
  std::vector<TensorDecl> row_tables;           // two dimensions
  std::vector<std::vector<TensorDecl>> layers;  // execution order, tensors in use order
  // 0: chosen. 2 MiB and 1 MiB CRC blocks, or 4 KiB for both when the mean slab (without layers:
  // the whole payload) is below 2 MiB.
  uint64_t alignment = 0;
  uint64_t crc_block_bytes = 0;
  // A layer is cut at tensor boundaries into parts of at most this; a larger tensor is a part
  // alone.
  uint64_t part_bytes_max = kPackPartBytesMax;
};

// Takes a tensor's bytes in order, in pieces of any size.
using TensorSink = std::function<absl::Status(std::span<const std::byte> bytes)>;
// Produces all bytes of one tensor, already in its declared type.
using TensorSource = std::function<absl::Status(const TensorDecl& tensor, const TensorSink& sink)>;
// Bytes done and in all; called about once a CRC block, from the calling thread.
using PackProgress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

// The layout a spec will get: offsets and sizes final, hashes zero. INVALID_ARGUMENT naming the
// tensor for duplicates within a section, overflow, or a row table that is not a matrix.
struct PackLayout {
  PackHeader header;  // of copy 0
  PackTable table;
};
absl::StatusOr<PackLayout> PlanPack(const PackSpec& spec);

struct PackWriteCalls {
  TensorSource source;
  PackProgress progress = {};  // may be empty
};

// RESOURCE_EXHAUSTED, before anything is written, when the disk lacks the space. On any error the
// temporary file is removed and an older pack of that name is untouched.
absl::Status WritePack(FileSystem& files, const std::string& path, const PackSpec& spec,
                       const PackWriteCalls& calls);

}  // namespace longtake
