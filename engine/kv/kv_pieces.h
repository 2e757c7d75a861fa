// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The image of a frame's K/V (kv_image.h) piece by piece, from its place in pages or in the file
// and back into one, on a thread that is not the stage's: frames are too large to be in memory
// twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/kv/kv_memory.h"
#include "engine/kv/kv_shares.h"

namespace longtake {

// What buffers of pieces have in size, and the multiple of an address at which they begin.
constexpr uint64_t kKvPieceBytes = 1 << 20;
constexpr uint64_t kKvPieceAlignment = ScratchFile::kBlockBytes;

// An image that is read from its beginning to its end, once. One thread at a time.
class KvSource {
 public:
  virtual ~KvSource() = default;
  // Of the whole image.
  virtual uint64_t bytes() const = 0;
  // The next piece, in the buffer; empty behind the last one. A piece counts once all are read:
  // what is damaged may show in a later one. ABORTED when nobody is to read it any more.
  virtual absl::StatusOr<std::span<const std::byte>> Next(std::span<std::byte> buffer) = 0;
};

// That a frame is read elsewhere while its session goes on, which both sides may end. Any thread.
class KvHold {
 public:
  explicit KvHold(const KvFrame& frame) : frame_(&frame) {}
  // Once this returns the frame is read no more, and may go.
  void End() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    frame_ = nullptr;
  }
  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return frame_ == nullptr;
  }
  // Reads of the frame, if it is there; false when it is not.
  bool Read(const std::function<void(const KvFrame&)>& read) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (frame_ != nullptr) read(*frame_);
    return frame_ != nullptr;
  }

 private:
  mutable Mutex mutex_;
  const KvFrame* frame_ ABSL_GUARDED_BY(mutex_);
};

// The image of such a frame, copied in the lane kCopyOut. Ends the hold when it goes.
class KvPin final : public KvSource {
 public:
  // file, which is null for a frame in pages, outlives the hold.
  KvPin(const KvFrame& frame, std::shared_ptr<KvHold> hold, File* file);
  ~KvPin() override { hold_->End(); }
  KvPin(const KvPin&) = delete;
  KvPin& operator=(const KvPin&) = delete;

  uint64_t bytes() const override;
  // DATA_LOSS when a layer is not what was written to the file; errors of the device.
  absl::StatusOr<std::span<const std::byte>> Next(std::span<std::byte> buffer) override;

 private:
  absl::StatusOr<size_t> CopyPages(const KvPages& pages, std::span<std::byte> buffer);
  absl::StatusOr<std::span<const std::byte>> NextOfFile(std::span<std::byte> buffer);
  absl::Status CheckLayer();

  const KvLayout layout_;
  const std::shared_ptr<KvHold> hold_;
  // Of a frame in the file: what takes to read it without asking the frame, so that nobody waits
  // for the disk to end the hold.
  File* const file_;
  std::vector<uint64_t> offsets_;  // of its layers
  std::vector<uint32_t> checksums_;
  // Where the next piece begins.
  int64_t layer_ = 0;
  uint64_t at_ = 0;
  uint32_t crc_ = 0;  // of the layer so far
};

// One image after the other, as one: those of a frame's parts on several stages.
class KvChain final : public KvSource {
 public:
  explicit KvChain(std::vector<std::unique_ptr<KvSource>> parts) : parts_(std::move(parts)) {}

  uint64_t bytes() const override;
  absl::StatusOr<std::span<const std::byte>> Next(std::span<std::byte> buffer) override;

 private:
  const std::vector<std::unique_ptr<KvSource>> parts_;
  size_t at_ = 0;
};

// Makes frames from their images, copied in the lane kCopyIn. One thread; the shares outlive it and
// its frames.
class KvFiller {
 public:
  // RESOURCE_EXHAUSTED when there is no memory for a piece.
  static absl::StatusOr<std::unique_ptr<KvFiller>> Create(const KvShares& shares);

  // A new frame in the shares, which must have room for it. next gives the image's pieces, of any
  // size, and an empty one behind the last; its errors. DATA_LOSS when all are not a frame's bytes.
  using Pieces = std::function<absl::StatusOr<std::span<const std::byte>>()>;
  absl::StatusOr<KvFrames> Fill(const Pieces& next);

 private:
  explicit KvFiller(const KvShares& shares) : shares_(shares) {}
  KvShare& share() const { return shares_.stage(stage_); }
  // Takes bytes off the front of a piece, for the place where the next ones belong.
  absl::Status Put(KvFrames& frames, std::span<const std::byte>& piece);
  absl::Status PutInPages(const KvPages& pages, std::span<const std::byte>& piece);
  absl::Status PutInFile(KvFrame& frame, std::span<const std::byte>& piece);
  absl::Status WriteWindow(KvFrame& frame, uint64_t bytes);

  const KvShares& shares_;
  AlignedBuffer window_;  // of the layer, on its way to the file; empty for pages
  size_t stage_ = 0;
  int64_t layer_ = 0;  // of the stage's
  uint64_t at_ = 0;    // in the layer's bytes
  uint32_t crc_ = 0;
};

}  // namespace longtake
