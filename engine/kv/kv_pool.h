// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The pages that keys and values lie in: one pool for each stage. Its memory is taken at start and
// never grows.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/backend/device.h"

namespace longtake {

// What one latent frame of K/V looks like for a model at a size.
struct KvLayout {
  int64_t layers = 0;
  int64_t rows = 0;   // tokens of one latent frame, per layer
  int64_t width = 0;  // heads * head_dim
  DType dtype = DType::kBf16;

  uint64_t row_bytes() const { return static_cast<uint64_t>(width) * DTypeBytes(dtype); }
  // Pages for the keys of a frame; its values take as many.
  uint64_t side_pages(uint64_t page_bytes) const;
  // One layer in a file: all keys, then all values, in whole blocks.
  uint64_t file_layer_bytes() const;
  uint64_t file_frame_bytes() const { return static_cast<uint64_t>(layers) * file_layer_bytes(); }
};

// A fixed number of equal pages. Any thread; the contents of a page belong to the frame that took
// it.
class KvPool {
 public:
  static constexpr uint64_t kPageBytesDefault = 64 << 10;

  // Takes bytes_max rounded down to whole pages; at least one page.
  static absl::StatusOr<std::unique_ptr<KvPool>> Create(Device& device, uint64_t bytes_max,
                                                        uint64_t page_bytes = kPageBytesDefault,
                                                        const MemoryPopulator* populator = nullptr);

  // In whose memory the pages are; it outlives the pool.
  Device& device() const { return device_; }

  uint64_t page_bytes() const { return page_bytes_; }
  uint64_t page_count() const { return page_count_; }
  uint64_t free_page_count() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Pages for one frame, K and V together. InvalidArgument when a row exceeds a page.
  absl::StatusOr<uint64_t> PagesPerFrame(const KvLayout& layout) const;

  // Sets count pages aside for a session, so that its frames can never fail to be allocated
  // halfway. ResourceExhausted names what is free.
  absl::Status Reserve(uint64_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unreserve(uint64_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  // What Reserve would answer, without doing it.
  absl::Status CheckRoom(uint64_t count) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class KvPages;
  explicit KvPool(Device& device) : device_(device) {}
  absl::Status CheckRoomLocked(uint64_t count) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<uint32_t> Take(uint64_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  void Give(const std::vector<uint32_t>& pages) ABSL_LOCKS_EXCLUDED(mutex_);
  DevicePtr<std::byte> page(uint32_t index) const {
    return memory_.As<std::byte>() + static_cast<int64_t>(index * page_bytes_);
  }

  Device& device_;
  DeviceBuffer memory_;
  uint64_t page_bytes_ = 0;
  uint64_t page_count_ = 0;
  mutable Mutex mutex_;
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mutex_);
  uint64_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
