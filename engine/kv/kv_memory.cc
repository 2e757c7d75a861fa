// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

void StoreRow(const float* row, int64_t width, DType dtype, std::byte* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, row, static_cast<size_t>(width) * sizeof(float));
    return;
  }
  auto* half = reinterpret_cast<uint16_t*>(out);
  for (int64_t i = 0; i < width; ++i) half[i] = FloatToBf16(row[i]);
}

}  // namespace

KvFrame KvFrame::Allocate(KvPool& pool, const KvLayout& layout) {
  KvFrame frame;
  const uint64_t count = layout.side_pages(pool.page_bytes());
  frame.layout_ = layout;
  frame.k_pages_ = pool.Take(count);
  frame.v_pages_ = pool.Take(count);
  frame.pool_ = &pool;
  return frame;
}

KvFrame::KvFrame(KvFrame&& other) noexcept { *this = std::move(other); }

KvFrame& KvFrame::operator=(KvFrame&& other) noexcept {
  if (this == &other) return *this;
  Release();
  pool_ = std::exchange(other.pool_, nullptr);
  share_ = std::exchange(other.share_, nullptr);
  layout_ = other.layout_;
  k_pages_ = std::exchange(other.k_pages_, {});
  v_pages_ = std::exchange(other.v_pages_, {});
  extent_ = other.extent_;
  checksums_ = std::exchange(other.checksums_, {});
  return *this;
}

KvFrame::~KvFrame() { Release(); }

void KvFrame::Release() {
  if (share_ != nullptr) std::exchange(share_, nullptr)->free_.push_back(extent_);
  if (pool_ == nullptr) return;
  pool_->Give(k_pages_);
  pool_->Give(v_pages_);
  pool_ = nullptr;
}

int64_t KvFrame::rows_per_page() const {
  return static_cast<int64_t>(pool_->page_bytes() / layout_.row_bytes());
}

void KvFrame::Write(int64_t layer, const float* k, const float* v) {
  LT_CHECK(pool_ != nullptr && layer >= 0 && layer < layout_.layers);
  const int64_t per_page = rows_per_page();
  for (int64_t row = 0; row < layout_.rows; ++row) {
    const int64_t index = layer * layout_.rows + row;
    const auto page = static_cast<size_t>(index / per_page);
    const uint64_t offset = static_cast<uint64_t>(index % per_page) * layout_.row_bytes();
    StoreRow(k + row * layout_.width, layout_.width, layout_.dtype,
             pool_->page(k_pages_[page]) + offset);
    StoreRow(v + row * layout_.width, layout_.width, layout_.dtype,
             pool_->page(v_pages_[page]) + offset);
  }
}

void KvFrame::AppendSegments(int64_t layer, const float* rotary, int64_t rotary_stride,
                             std::vector<KeySegment>* out) const {
  LT_CHECK(pool_ != nullptr && layer >= 0 && layer < layout_.layers);
  const int64_t per_page = rows_per_page();
  for (int64_t row = 0; row < layout_.rows;) {
    const int64_t index = layer * layout_.rows + row;
    const int64_t count = std::min(layout_.rows - row, per_page - index % per_page);
    const auto page = static_cast<size_t>(index / per_page);
    const uint64_t offset = static_cast<uint64_t>(index % per_page) * layout_.row_bytes();
    out->push_back({.k = pool_->page(k_pages_[page]) + offset,
                    .v = pool_->page(v_pages_[page]) + offset,
                    .dtype = layout_.dtype,
                    .rows = count,
                    .rotary = rotary == nullptr ? nullptr : rotary + row * rotary_stride});
    row += count;
  }
}

void KvFrame::Encode(const float* k, const float* v, std::span<std::byte> layer_bytes) const {
  LT_CHECK(in_file() && layer_bytes.size() == layout_.file_layer_bytes());
  std::byte* out = layer_bytes.data();
  for (const float* rows : {k, v}) {
    for (int64_t row = 0; row < layout_.rows; ++row, out += layout_.row_bytes()) {
      StoreRow(rows + row * layout_.width, layout_.width, layout_.dtype, out);
    }
  }
  std::fill(out, layer_bytes.data() + layer_bytes.size(), std::byte{0});
}

KeySegment KvFrame::Segment(std::span<const std::byte> layer_bytes, const float* rotary) const {
  const uint64_t values = static_cast<uint64_t>(layout_.rows) * layout_.row_bytes();
  return {.k = layer_bytes.data(),
          .v = layer_bytes.data() + values,
          .dtype = layout_.dtype,
          .rows = layout_.rows,
          .rotary = rotary};
}

uint64_t KvFrame::file_offset(int64_t layer) const {
  LT_CHECK(in_file() && layer >= 0 && layer < layout_.layers);
  return extent_ + static_cast<uint64_t>(layer) * layout_.file_layer_bytes();
}

absl::StatusOr<std::unique_ptr<KvShare>> KvShare::Create(const KvMemory& memory,
                                                         const KvLayout& layout,
                                                         const KvNeeds& frames) {
  LT_ASSIGN_OR_RETURN(const bool in_file, WouldBeInFile(memory, layout, frames));
  auto share = std::unique_ptr<KvShare>(new KvShare(layout));
  if (in_file) {
    LT_RETURN_IF_ERROR(share->TakePlaces(*memory.file, frames.held));
    return share;
  }
  LT_ASSIGN_OR_RETURN(const uint64_t per_frame, memory.pool.PagesPerFrame(layout));
  LT_RETURN_IF_ERROR(memory.pool.Reserve(per_frame * frames.held));
  share->pages_ = per_frame * frames.held;
  share->pool_ = &memory.pool;
  return share;
}

absl::StatusOr<bool> KvShare::WouldBeInFile(const KvMemory& memory, const KvLayout& layout,
                                            const KvNeeds& frames) {
  LT_ASSIGN_OR_RETURN(const uint64_t per_frame, memory.pool.PagesPerFrame(layout));
  LT_ASSIGN_OR_RETURN(const uint64_t pages,
                      CheckedProduct({per_frame, frames.held}, "K/V pages of the session"));
  const absl::Status in_pool = memory.pool.CheckRoom(pages);
  if (in_pool.ok()) return false;
  if (memory.file == nullptr) return in_pool;
  const absl::Status in_file = CheckFile(memory, layout, frames);
  if (in_file.ok()) return true;
  // It only has to wait for others to end.
  return pages <= memory.pool.page_count() ? in_pool : in_file;
}

absl::Status KvShare::CheckFile(const KvMemory& memory, const KvLayout& layout,
                                const KvNeeds& frames) {
  const uint64_t frame_bytes = layout.file_layer_bytes();
  if (frames.read * frame_bytes > memory.file_layer_bytes_max ||
      frame_bytes > memory.file_frame_bytes_max) {
    return Error(
        Reason::kSessionTooLarge,
        absl::StrCat("a layer's K/V of the session is ", frames.read, " times ", frame_bytes,
                     " bytes; from the K/V file this server takes ", memory.file_layer_bytes_max,
                     " in all and ", memory.file_frame_bytes_max, " a frame (kv-staging-bytes)"));
  }
  return CheckFileRoom(*memory.file, layout, frames.held);
}

absl::Status KvShare::CheckFileRoom(const ScratchFile& file, const KvLayout& layout,
                                    uint64_t frames) {
  LT_ASSIGN_OR_RETURN(const uint64_t bytes,
                      CheckedProduct({layout.file_frame_bytes(), frames}, "K/V of the session"));
  if (bytes > file.bytes_max()) {
    return Error(Reason::kSessionTooLarge,
                 absl::StrCat("the session needs ", bytes, " bytes of the K/V file, which has ",
                              file.bytes_max()));
  }
  const uint64_t free_bytes = file.bytes_max() - file.bytes_taken();
  if (bytes > free_bytes) {
    return Error(Reason::kSessionMemoryExhausted,
                 absl::StrCat("the session needs ", bytes, " bytes of the K/V file, ", free_bytes,
                              " of ", file.bytes_max(), " are free"));
  }
  return absl::OkStatus();
}

absl::Status KvShare::TakePlaces(ScratchFile& file, uint64_t frames) {
  absl::StatusOr<std::vector<uint64_t>> extents = file.Take(layout_.file_frame_bytes(), frames);
  if (!extents.ok()) {
    LT_RETURN_IF_ERROR(CheckFileRoom(file, layout_, frames));
    return absl::ResourceExhaustedError(
        absl::StrCat("the K/V file has room for the session, but not in pieces of ",
                     layout_.file_frame_bytes(), " bytes"));
  }
  extents_ = *std::move(extents);
  free_ = extents_;
  file_ = &file;
  return absl::OkStatus();
}

KvShare::~KvShare() {
  if (pool_ != nullptr) pool_->Unreserve(pages_);
  if (file_ != nullptr) file_->Give(extents_, layout_.file_frame_bytes());
}

KvFrame KvShare::NewFrame() {
  if (pool_ != nullptr) return KvFrame::Allocate(*pool_, layout_);
  LT_CHECK(!free_.empty());
  KvFrame frame;
  frame.layout_ = layout_;
  frame.share_ = this;
  frame.extent_ = free_.back();
  frame.checksums_.resize(static_cast<size_t>(layout_.layers));
  free_.pop_back();
  return frame;
}

}  // namespace longtake
