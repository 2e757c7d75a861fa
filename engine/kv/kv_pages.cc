// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_pages.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace longtake {

KvPages::KvPages(KvPool& pool, const KvLayout& layout) : pool_(&pool), layout_(layout) {
  const uint64_t count = layout.side_pages(pool.page_bytes());
  k_pages_ = pool.Take(count);
  v_pages_ = pool.Take(count);
}

KvPages::~KvPages() { Release(); }

KvPages& KvPages::operator=(KvPages&& other) noexcept {
  if (this == &other) return *this;
  Release();
  pool_ = other.pool_;
  layout_ = other.layout_;
  k_pages_ = std::exchange(other.k_pages_, {});
  v_pages_ = std::exchange(other.v_pages_, {});
  return *this;
}

void KvPages::Release() {
  if (k_pages_.empty()) return;
  pool_->Give(k_pages_);
  pool_->Give(v_pages_);
}

int64_t KvPages::rows_per_page() const {
  return static_cast<int64_t>(pool_->page_bytes() / layout_.row_bytes());
}

template <typename Take>
void KvPages::ForEachRun(int64_t layer, const Take& take) const {
  LT_CHECK(layer >= 0 && layer < layout_.layers);
  const int64_t per_page = rows_per_page();
  for (int64_t row = 0; row < layout_.rows;) {
    const int64_t index = layer * layout_.rows + row;
    const int64_t count = std::min(layout_.rows - row, per_page - index % per_page);
    const auto page = static_cast<size_t>(index / per_page);
    const auto offset = index % per_page * static_cast<int64_t>(layout_.row_bytes());
    take(row, count, pool_->page(k_pages_[page]) + offset, pool_->page(v_pages_[page]) + offset);
    row += count;
  }
}

KvRows KvPages::Rows(int64_t layer) const {
  KvRows rows;
  ForEachRun(layer, [&](int64_t, int64_t count, DevicePtr<std::byte> k, DevicePtr<std::byte> v) {
    rows.k.push_back({.out = k, .rows = count});
    rows.v.push_back({.out = v, .rows = count});
  });
  return rows;
}

void KvPages::AppendSegments(int64_t layer, DevicePtr<const float> rotary, int64_t rotary_stride,
                             std::vector<KeySegment>* out) const {
  ForEachRun(layer,
             [&](int64_t row, int64_t count, DevicePtr<std::byte> k, DevicePtr<std::byte> v) {
               out->push_back({.k = k,
                               .v = v,
                               .dtype = layout_.dtype,
                               .rows = count,
                               .rotary = rotary ? rotary + row * rotary_stride : rotary});
             });
}

std::vector<KvRun> KvPages::Runs(int64_t layer) const {
  std::vector<KvRun> runs;
  const KvRows rows = Rows(layer);
  for (const auto* side : {&rows.k, &rows.v}) {
    for (const RowPiece& piece : *side) {
      runs.push_back({piece.out, static_cast<uint64_t>(piece.rows) * layout_.row_bytes()});
    }
  }
  return runs;
}

}  // namespace longtake
