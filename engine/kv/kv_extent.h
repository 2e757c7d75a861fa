// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// K and V of one latent frame in the K/V file: one extent of it, layer after layer, each layer's
// keys and then its values, padded to whole blocks. The K/V stream moves the bytes
// (engine/kv/kv_stream.h); here is where they lie, how they are laid out and what their checksums
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/kv/kv_pool.h"
#include "engine/kv/kv_rows.h"

namespace longtake {

// Owns its extent and gives it back. Move only. One thread at a time.
class KvExtent {
 public:
  // Takes one of the free extents (their offsets in the file), of which there must be one; the list
  // must outlive it.
  KvExtent(std::vector<uint64_t>& free_extents, const KvLayout& layout);
  KvExtent(KvExtent&& other) noexcept;
  KvExtent& operator=(KvExtent&& other) noexcept;
  ~KvExtent();

  const KvLayout& layout() const { return layout_; }
  uint64_t file_offset(int64_t layer) const;
  // Where the rows of one layer go in what the file will have of it, whose padding is zeroed; in
  // pinned memory of the device, as its ops reach it.
  KvRows Rows(Device& device, std::span<std::byte> layer_bytes) const;
  // One layer as the file has it, likewise, as one segment. rotary is the frame's table, or null.
  KeySegment Segment(Device& device, std::span<const std::byte> layer_bytes,
                     DevicePtr<const float> rotary) const;
  // CRC32C of what was written last.
  uint32_t checksum(int64_t layer) const { return checksums_[static_cast<size_t>(layer)]; }
  void set_checksum(int64_t layer, uint32_t sum) { checksums_[static_cast<size_t>(layer)] = sum; }

 private:
  uint64_t side_bytes() const { return static_cast<uint64_t>(layout_.rows) * layout_.row_bytes(); }
  void Release();

  std::vector<uint64_t>* free_extents_;  // null once it was moved from
  KvLayout layout_;
  uint64_t offset_ = 0;
  std::vector<uint32_t> checksums_;  // per layer
};

}  // namespace longtake
