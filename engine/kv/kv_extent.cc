// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_extent.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace longtake {

KvExtent::KvExtent(std::vector<uint64_t>& free_extents, const KvLayout& layout)
    : free_extents_(&free_extents),
      layout_(layout),
      checksums_(static_cast<size_t>(layout.layers)) {
  LT_CHECK(!free_extents.empty());
  offset_ = free_extents.back();
  free_extents.pop_back();
}

KvExtent::KvExtent(KvExtent&& other) noexcept
    : free_extents_(std::exchange(other.free_extents_, nullptr)),
      layout_(other.layout_),
      offset_(other.offset_),
      checksums_(std::move(other.checksums_)) {}

KvExtent& KvExtent::operator=(KvExtent&& other) noexcept {
  if (this == &other) return *this;
  Release();
  free_extents_ = std::exchange(other.free_extents_, nullptr);
  layout_ = other.layout_;
  offset_ = other.offset_;
  checksums_ = std::move(other.checksums_);
  return *this;
}

KvExtent::~KvExtent() { Release(); }

void KvExtent::Release() {
  if (free_extents_ != nullptr) free_extents_->push_back(offset_);
}

KvRows KvExtent::Rows(Device& device, std::span<std::byte> layer_bytes) const {
  LT_CHECK(layer_bytes.size() == layout_.file_layer_bytes());
  const uint64_t side = side_bytes();
  std::fill(layer_bytes.begin() + static_cast<ptrdiff_t>(2 * side), layer_bytes.end(),
            std::byte{0});
  const DevicePtr<std::byte> keys = device.Mapped(layer_bytes.data());
  return {.k = {{.out = keys, .rows = layout_.rows}},
          .v = {{.out = keys + static_cast<int64_t>(side), .rows = layout_.rows}}};
}

KeySegment KvExtent::Segment(Device& device, std::span<const std::byte> layer_bytes,
                             DevicePtr<const float> rotary) const {
  const DevicePtr<const std::byte> keys = device.Mapped(layer_bytes.data());
  return {.k = keys,
          .v = keys + static_cast<int64_t>(side_bytes()),
          .dtype = layout_.dtype,
          .rows = layout_.rows,
          .rotary = rotary};
}

uint64_t KvExtent::file_offset(int64_t layer) const {
  LT_CHECK(layer >= 0 && layer < layout_.layers);
  return offset_ + static_cast<uint64_t>(layer) * layout_.file_layer_bytes();
}

}  // namespace longtake
