// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// KV memory: the keys (unrotated) and values of a session's latent frames (docs/spec 3.3), in pages
// of the pool (engine/kv/kv_pages.h), or in extents of a file when the pool is too small
// (engine/kv/kv_extent.h).
//
// Rows are rounded once, when the clean pass writes them. A session is admitted only if its frames
// fit.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_extent.h"
#include "engine/kv/kv_pages.h"
#include "engine/kv/kv_pool.h"
#include "storage/scratch/scratch_file.h"

namespace longtake {

// K and V of one latent frame, all layers: in pages, in the file, or nowhere yet. Owns what it lies
// in and gives it back. Move only; pool or share must outlive it. One thread at a time.
class KvFrame {
 public:
  KvFrame() = default;
  explicit KvFrame(KvPages pages) : home_(std::move(pages)) {}
  explicit KvFrame(KvExtent extent) : home_(std::move(extent)) {}

  bool empty() const { return std::holds_alternative<std::monostate>(home_); }
  bool in_file() const { return std::holds_alternative<KvExtent>(home_); }
  // Of one that is not empty.
  const KvLayout& layout() const;

  // Null when it lies elsewhere.
  KvPages* pages() { return std::get_if<KvPages>(&home_); }
  const KvPages* pages() const { return std::get_if<KvPages>(&home_); }
  KvExtent* extent() { return std::get_if<KvExtent>(&home_); }
  const KvExtent* extent() const { return std::get_if<KvExtent>(&home_); }

 private:
  std::variant<std::monostate, KvPages, KvExtent> home_;
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
  // There, or in the file when it is to be that; errors as Create.
  static absl::StatusOr<std::unique_ptr<KvShare>> CreateIn(const KvMemory& memory, bool in_file,
                                                           const KvLayout& layout,
                                                           const KvNeeds& frames);
  // Whether a session that the pool cannot hold would fit the file, which there must be.
  static absl::Status CheckFile(const KvMemory& memory, const KvLayout& layout,
                                const KvNeeds& frames);
  // Whether Create would choose the file; its errors. Reserves nothing.
  static absl::StatusOr<bool> WouldBeInFile(const KvMemory& memory, const KvLayout& layout,
                                            const KvNeeds& frames);
  ~KvShare();

  bool in_file() const { return file_ != nullptr; }
  const KvLayout& layout() const { return layout_; }
  // Of those that are in the file.
  File* file() const { return file_->file().file.get(); }
  KvFrame NewFrame();
  // Room for one frame more, if there is any; and for one less, which must be free.
  bool Grow();
  void Shrink();

 private:
  explicit KvShare(const KvLayout& layout) : layout_(layout) {}
  // What TakePlaces would answer, fragmentation aside.
  static absl::Status CheckFileRoom(const ScratchFile& file, const KvLayout& layout,
                                    uint64_t frames);
  absl::Status TakePlaces(ScratchFile& file, uint64_t frames);
  uint64_t FramePages() const;

  const KvLayout layout_;
  KvPool* pool_ = nullptr;
  uint64_t pages_ = 0;
  ScratchFile* file_ = nullptr;
  std::vector<uint64_t> extents_;  // all of them
  std::vector<uint64_t> free_;     // of those
};

}  // namespace longtake
