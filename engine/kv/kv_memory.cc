// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_memory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"

namespace longtake {
const KvLayout& KvFrame::layout() const {
  LT_CHECK(!empty());
  return in_file() ? extent()->layout() : pages()->layout();
}

absl::StatusOr<std::unique_ptr<KvShare>> KvShare::Create(const KvMemory& memory,
                                                         const KvLayout& layout,
                                                         const KvNeeds& frames) {
  LT_ASSIGN_OR_RETURN(const bool in_file, WouldBeInFile(memory, layout, frames));
  return CreateIn(memory, in_file, layout, frames);
}

absl::StatusOr<std::unique_ptr<KvShare>> KvShare::CreateIn(const KvMemory& memory, bool in_file,
                                                           const KvLayout& layout,
                                                           const KvNeeds& frames) {
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

bool KvShare::Grow() {
  if (file_ != nullptr) {
    const absl::StatusOr<std::vector<uint64_t>> extent = file_->Take(layout_.file_frame_bytes(), 1);
    if (!extent.ok()) return false;
    extents_.push_back(extent->front());
    free_.push_back(extent->front());
    return true;
  }
  const uint64_t pages = FramePages();
  if (!pool_->Reserve(pages).ok()) return false;
  pages_ += pages;
  return true;
}

void KvShare::Shrink() {
  if (file_ != nullptr) {
    LT_CHECK(!free_.empty());
    const uint64_t extent = free_.back();
    free_.pop_back();
    std::erase(extents_, extent);
    file_->Give({&extent, 1}, layout_.file_frame_bytes());
    return;
  }
  pool_->Unreserve(FramePages());
  pages_ -= FramePages();
}

uint64_t KvShare::FramePages() const { return 2 * layout_.side_pages(pool_->page_bytes()); }

KvFrame KvShare::NewFrame() {
  if (pool_ != nullptr) return KvFrame(KvPages(*pool_, layout_));
  return KvFrame(KvExtent(free_, layout_));
}

}  // namespace longtake
