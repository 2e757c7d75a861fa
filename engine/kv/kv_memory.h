// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// KV memory: the keys (unrotated) and values of a session's latent frames (docs/spec 3.3), in pages
// of the pool or in extents of a file when the pool is too small. In pages a frame's rows of all
// layers lie one after another, K and V apart, so that a page is shared by layers and little is
// wasted; a row never straddles a page.
//
// Rows are rounded once, when the clean pass writes them. A session is admitted only if its frames
// fit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/kv/kv_pool.h"
#include "storage/scratch/scratch_file.h"

namespace longtake {

class KvShare;

// K and V of one latent frame, all layers. Owns its pages, or its extent in the file, and gives
// them back. Movable value; pool or share must outlive it. One thread at a time.
class KvFrame {
 public:
  KvFrame() = default;
  // Takes pages out of the caller's reservation (KvPool::Reserve must have set them aside).
  static KvFrame Allocate(KvPool& pool, const KvLayout& layout);
  KvFrame(KvFrame&& other) noexcept;
  KvFrame& operator=(KvFrame&& other) noexcept;
  KvFrame(const KvFrame&) = delete;
  KvFrame& operator=(const KvFrame&) = delete;
  ~KvFrame();

  bool empty() const { return pool_ == nullptr && share_ == nullptr; }
  bool in_file() const { return share_ != nullptr; }
  const KvLayout& layout() const { return layout_; }

  // In pages. Rounds and stores the rows of one layer: k and v are [layout.rows, layout.width]
  // fp32.
  void Write(int64_t layer, const float* k, const float* v);
  // In pages. Appends the layer's rows as segments, in row order. rotary is the frame's table
  // [layout.rows, head_dim], or null; row_rotary_stride is head_dim.
  void AppendSegments(int64_t layer, const float* rotary, int64_t rotary_stride,
                      std::vector<KeySegment>* out) const;

  // In the file; the K/V stream moves the bytes (engine/kv/kv_stream.h). Rounded as Write does.
  void Encode(const float* k, const float* v, std::span<std::byte> layer_bytes) const;
  // What Encode made, as one segment.
  KeySegment Segment(std::span<const std::byte> layer_bytes, const float* rotary) const;
  uint64_t file_offset(int64_t layer) const;
  // CRC32C of what was written last.
  uint32_t checksum(int64_t layer) const { return checksums_[static_cast<size_t>(layer)]; }
  void set_checksum(int64_t layer, uint32_t sum) { checksums_[static_cast<size_t>(layer)] = sum; }

 private:
  friend class KvShare;
  int64_t rows_per_page() const;
  void Release();

  KvPool* pool_ = nullptr;
  KvShare* share_ = nullptr;
  KvLayout layout_;
  std::vector<uint32_t> k_pages_;
  std::vector<uint32_t> v_pages_;
  uint64_t extent_ = 0;
  std::vector<uint32_t> checksums_;  // per layer
};

// Where a session's K/V may live. The file, which may be null, takes sessions that the pool cannot
// hold. What the stream moves whole is bounded: a layer of all frames of a session, and of one.
struct KvMemory {
  explicit KvMemory(KvPool& pool_in) : pool(pool_in) {}
  KvPool& pool;
  ScratchFile* file = nullptr;
  uint64_t file_layer_bytes_max = 0;
  uint64_t file_frame_bytes_max = 0;
};

// Frames of a session's K/V, all guidance branches together.
struct KvNeeds {
  uint64_t held = 0;  // at most, what is being written included
  uint64_t read = 0;  // of those, in one sweep
};

// Room for a session's frames, set aside at its start so that a frame can never fail to be made
// halfway. It must outlive its frames; pool and file must outlive it.
class KvShare {
 public:
  // In the pool if that has room, else in the file. RESOURCE_EXHAUSTED: the pool's answer when the
  // session would fit an idle pool, else the file's.
  static absl::StatusOr<std::unique_ptr<KvShare>> Create(const KvMemory& memory,
                                                         const KvLayout& layout,
                                                         const KvNeeds& frames);
  // Whether Create would choose the file; its errors. Reserves nothing.
  static absl::StatusOr<bool> WouldBeInFile(const KvMemory& memory, const KvLayout& layout,
                                            const KvNeeds& frames);
  ~KvShare();

  bool in_file() const { return file_ != nullptr; }
  KvFrame NewFrame();

 private:
  friend class KvFrame;
  explicit KvShare(const KvLayout& layout) : layout_(layout) {}
  static absl::Status CheckFile(const KvMemory& memory, const KvLayout& layout,
                                const KvNeeds& frames);
  // What TakePlaces would answer, fragmentation aside.
  static absl::Status CheckFileRoom(const ScratchFile& file, const KvLayout& layout,
                                    uint64_t frames);
  absl::Status TakePlaces(ScratchFile& file, uint64_t frames);

  const KvLayout layout_;
  KvPool* pool_ = nullptr;
  uint64_t pages_ = 0;
  ScratchFile* file_ = nullptr;
  std::vector<uint64_t> extents_;  // all of them
  std::vector<uint64_t> free_;     // of those
};

}  // namespace longtake
