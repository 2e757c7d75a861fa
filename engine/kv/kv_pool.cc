// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"
#include "storage/scratch/scratch_file.h"

namespace longtake {

uint64_t KvLayout::file_layer_bytes() const {
  return CeilDiv(2 * static_cast<uint64_t>(rows) * row_bytes(), ScratchFile::kBlockBytes) *
         ScratchFile::kBlockBytes;
}

uint64_t KvLayout::side_pages(uint64_t page_bytes) const {
  return CeilDiv(static_cast<uint64_t>(layers * rows), page_bytes / row_bytes());
}

absl::StatusOr<std::unique_ptr<KvPool>> KvPool::Create(Device& device, uint64_t bytes_max,
                                                       uint64_t page_bytes,
                                                       const MemoryPopulator* populator) {
  if (page_bytes == 0 || bytes_max < page_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("kv pool of ", bytes_max, " bytes holds no page of ", page_bytes, " bytes"));
  }
  auto pool = std::unique_ptr<KvPool>(new KvPool(device));
  pool->page_bytes_ = page_bytes;
  pool->page_count_ = bytes_max / page_bytes;
  LT_ASSIGN_OR_RETURN(pool->memory_, device.Allocate(pool->page_count_ * page_bytes, populator));
  MutexLock lock(pool->mutex_);
  for (uint64_t i = pool->page_count_; i > 0; --i) {
    pool->free_.push_back(static_cast<uint32_t>(i - 1));
  }
  return pool;
}

uint64_t KvPool::free_page_count() const {
  MutexLock lock(mutex_);
  return page_count_ - reserved_;
}

absl::StatusOr<uint64_t> KvPool::PagesPerFrame(const KvLayout& layout) const {
  if (layout.row_bytes() == 0 || layout.row_bytes() > page_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat("a K/V row of ", layout.row_bytes(),
                                                   " bytes does not fit a page of ", page_bytes_));
  }
  return 2 * layout.side_pages(page_bytes_);
}

absl::Status KvPool::CheckRoom(uint64_t count) const {
  MutexLock lock(mutex_);
  return CheckRoomLocked(count);
}

absl::Status KvPool::CheckRoomLocked(uint64_t count) const {
  if (count > page_count_) {
    return Error(Reason::kSessionTooLarge,
                 absl::StrCat("the session needs ", count * page_bytes_,
                              " bytes of K/V memory, this server has ", page_count_ * page_bytes_));
  }
  if (count > page_count_ - reserved_) {
    return Error(Reason::kSessionMemoryExhausted,
                 absl::StrCat("the session needs ", count * page_bytes_, " bytes of K/V memory, ",
                              (page_count_ - reserved_) * page_bytes_, " of ",
                              page_count_ * page_bytes_, " are free"));
  }
  return absl::OkStatus();
}

absl::Status KvPool::Reserve(uint64_t count) {
  MutexLock lock(mutex_);
  LT_RETURN_IF_ERROR(CheckRoomLocked(count));
  reserved_ += count;
  return absl::OkStatus();
}

void KvPool::Unreserve(uint64_t count) {
  MutexLock lock(mutex_);
  LT_CHECK(count <= reserved_);
  reserved_ -= count;
}

std::vector<uint32_t> KvPool::Take(uint64_t count) {
  MutexLock lock(mutex_);
  LT_CHECK(count <= free_.size());
  std::vector<uint32_t> pages(free_.end() - static_cast<ptrdiff_t>(count), free_.end());
  free_.resize(free_.size() - count);
  return pages;
}

void KvPool::Give(const std::vector<uint32_t>& pages) {
  MutexLock lock(mutex_);
  free_.insert(free_.end(), pages.begin(), pages.end());
}

}  // namespace longtake
