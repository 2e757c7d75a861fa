// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// K and V of one latent frame in pages of the pool, all layers: rows of all layers lie one after
// another, K and V apart, so that a page is shared by layers and little is wasted. A row never
// straddles a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/kv/kv_pool.h"
#include "engine/kv/kv_rows.h"

namespace longtake {

// A run of bytes in a page.
struct KvRun {
  DevicePtr<std::byte> begin = {};
  uint64_t bytes = 0;
};

// Owns its pages and gives them back. Move only; the pool must outlive it. One thread at a time.
class KvPages {
 public:
  // Takes pages that were set aside before (KvPool::Reserve).
  KvPages(KvPool& pool, const KvLayout& layout);
  KvPages(KvPages&& other) noexcept = default;
  KvPages& operator=(KvPages&& other) noexcept;
  ~KvPages();

  const KvLayout& layout() const { return layout_; }
  // Where the rows of one layer go.
  KvRows Rows(int64_t layer) const;
  // Appends the layer's rows as segments, in row order. rotary is the frame's table [layout.rows,
  // head_dim], or null; rotary_stride is head_dim.
  void AppendSegments(int64_t layer, DevicePtr<const float> rotary, int64_t rotary_stride,
                      std::vector<KeySegment>* out) const;
  // Where the layer's keys lie, in row order, and then its values.
  std::vector<KvRun> Runs(int64_t layer) const;
  Device& device() const { return pool_->device(); }

 private:
  void Release();
  int64_t rows_per_page() const;
  // Consecutive rows of a layer in one page: take(row, count, keys, values).
  template <typename Take>
  void ForEachRun(int64_t layer, const Take& take) const;

  KvPool* pool_;
  KvLayout layout_;
  std::vector<uint32_t> k_pages_;  // none once it was moved from
  std::vector<uint32_t> v_pages_;
};

}  // namespace longtake
