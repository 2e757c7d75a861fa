// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_pieces.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/error_reason.h"
#include "engine/backend/backend.h"
#include "engine/kv/kv_image.h"

namespace longtake {
namespace {

// A layer's keys and values, without what pads them in the file.
uint64_t LayerBytes(const KvLayout& layout) {
  return 2 * static_cast<uint64_t>(layout.rows) * layout.row_bytes();
}

absl::Status Gone() { return absl::AbortedError("the frame's room was needed for another"); }

}  // namespace

KvPin::KvPin(const KvFrame& frame, std::shared_ptr<KvHold> hold, File* file)
    : layout_(frame.layout()), hold_(std::move(hold)), file_(file) {
  for (int64_t layer = 0; file_ != nullptr && layer < layout_.layers; ++layer) {
    offsets_.push_back(frame.extent()->file_offset(layer));
    checksums_.push_back(frame.extent()->checksum(layer));
  }
}

uint64_t KvPin::bytes() const { return KvImageBytes(layout_); }

absl::StatusOr<std::span<const std::byte>> KvPin::Next(std::span<std::byte> buffer) {
  LT_CHECK(buffer.size() == kKvPieceBytes);
  if (file_ != nullptr) return NextOfFile(buffer);
  absl::StatusOr<size_t> count = 0;
  const bool there =
      hold_->Read([&](const KvFrame& frame) { count = CopyPages(*frame.pages(), buffer); });
  if (!there) return Gone();
  LT_RETURN_IF_ERROR(count.status());
  return buffer.first(*count);
}

// What the frame has is there: it is held only when the sweep that wrote it is over.
absl::StatusOr<size_t> KvPin::CopyPages(const KvPages& pages, std::span<std::byte> buffer) {
  Device& device = pages.device();
  size_t count = 0;
  while (count < buffer.size() && layer_ < layout_.layers) {
    uint64_t begin = 0;
    for (const KvRun& run : pages.Runs(layer_)) {
      if (at_ >= begin && at_ < begin + run.bytes) {
        const uint64_t skipped = at_ - begin;
        const size_t part = std::min<uint64_t>(run.bytes - skipped, buffer.size() - count);
        device.CopyOut(Lane::kCopyOut, buffer.subspan(count, part),
                       run.begin + static_cast<int64_t>(skipped));
        count += part;
        at_ += part;
      }
      begin += run.bytes;
    }
    if (at_ != begin) break;  // the buffer is full
    ++layer_;
    at_ = 0;
  }
  LT_RETURN_IF_ERROR(device.Wait(device.Mark(Lane::kCopyOut), kOpsTimeoutNanos));
  return count;
}

// What was read counts if the frame was still there afterwards.
absl::StatusOr<std::span<const std::byte>> KvPin::NextOfFile(std::span<std::byte> buffer) {
  if (hold_->ended()) return Gone();
  if (layer_ == layout_.layers) return std::span<const std::byte>();
  const uint64_t layer_bytes = layout_.file_layer_bytes();
  const auto window = buffer.first(std::min<uint64_t>(buffer.size(), layer_bytes - at_));
  LT_RETURN_IF_ERROR(file_->ReadAt(offsets_[static_cast<size_t>(layer_)] + at_, window));
  if (hold_->ended()) return Gone();
  crc_ = ExtendCrc32c(crc_, window);
  const uint64_t piece = std::min<uint64_t>(window.size(), LayerBytes(layout_) - at_);
  at_ += window.size();
  if (at_ == layer_bytes) LT_RETURN_IF_ERROR(CheckLayer());
  return window.first(piece);
}

absl::Status KvPin::CheckLayer() {
  const auto layer = static_cast<size_t>(layer_++);
  at_ = 0;
  if (std::exchange(crc_, 0) == checksums_[layer]) return absl::OkStatus();
  return Error(Reason::kKvFileCorrupt,
               absl::StrCat(file_->path(), ": K/V of layer ", layer, " at byte ", offsets_[layer],
                            ": CRC32C differs"));
}

uint64_t KvChain::bytes() const {
  uint64_t sum = 0;
  for (const auto& part : parts_) sum += part->bytes();
  return sum;
}

absl::StatusOr<std::span<const std::byte>> KvChain::Next(std::span<std::byte> buffer) {
  for (; at_ < parts_.size(); ++at_) {
    LT_ASSIGN_OR_RETURN(const auto piece, parts_[at_]->Next(buffer));
    if (!piece.empty()) return piece;
  }
  return std::span<const std::byte>();
}

absl::StatusOr<std::unique_ptr<KvFiller>> KvFiller::Create(const KvShares& shares) {
  auto filler = std::unique_ptr<KvFiller>(new KvFiller(shares));
  if (shares.in_file()) {
    LT_ASSIGN_OR_RETURN(filler->window_, AlignedBuffer::Allocate(kKvPieceBytes, kKvPieceAlignment));
  }
  return filler;
}

absl::StatusOr<KvFrames> KvFiller::Fill(const Pieces& next) {
  KvFrames frames;
  for (size_t i = 0; i < shares_.stage_count(); ++i) {
    frames.push_back(shares_.stage(i).NewFrame());
  }
  stage_ = 0;
  layer_ = 0;
  at_ = 0;
  crc_ = 0;
  for (;;) {
    LT_ASSIGN_OR_RETURN(std::span<const std::byte> piece, next());
    if (piece.empty()) break;
    while (!piece.empty()) LT_RETURN_IF_ERROR(Put(frames, piece));
  }
  if (stage_ == frames.size()) return frames;
  return absl::DataLossError(
      absl::StrCat("K/V of a frame ends in layer ", layer_, " of stage ", stage_));
}

absl::Status KvFiller::Put(KvFrames& frames, std::span<const std::byte>& piece) {
  if (stage_ == frames.size()) {
    return absl::DataLossError("K/V of a frame goes on behind its last layer");
  }
  KvFrame& frame = frames[stage_];
  LT_RETURN_IF_ERROR(share().in_file() ? PutInFile(frame, piece)
                                       : PutInPages(*frame.pages(), piece));
  if (layer_ < share().layout().layers) return absl::OkStatus();
  ++stage_;
  layer_ = 0;
  return absl::OkStatus();
}

absl::Status KvFiller::PutInPages(const KvPages& pages, std::span<const std::byte>& piece) {
  Device& device = pages.device();
  uint64_t begin = 0;
  for (const KvRun& run : pages.Runs(layer_)) {
    if (at_ >= begin && at_ < begin + run.bytes) {
      const uint64_t skipped = at_ - begin;
      const size_t part = std::min<uint64_t>(run.bytes - skipped, piece.size());
      device.CopyIn(Lane::kCopyIn, run.begin + static_cast<int64_t>(skipped), piece.first(part));
      piece = piece.subspan(part);
      at_ += part;
    }
    begin += run.bytes;
  }
  if (at_ == begin) {
    ++layer_;
    at_ = 0;
  }
  return device.Wait(device.Mark(Lane::kCopyIn), kOpsTimeoutNanos);  // the piece is the caller's
}

absl::Status KvFiller::PutInFile(KvFrame& frame, std::span<const std::byte>& piece) {
  const uint64_t layer_bytes = LayerBytes(share().layout());
  const uint64_t in_window = at_ % kKvPieceBytes;
  const size_t part =
      std::min<uint64_t>({piece.size(), kKvPieceBytes - in_window, layer_bytes - at_});
  std::memcpy(window_.data() + in_window, piece.data(), part);
  piece = piece.subspan(part);
  at_ += part;
  if (at_ < layer_bytes) {
    return in_window + part == kKvPieceBytes ? WriteWindow(frame, kKvPieceBytes) : absl::OkStatus();
  }
  // Zeros behind the layer's last bytes, to the end of their block.
  const uint64_t bytes = share().layout().file_layer_bytes() - (at_ - part - in_window);
  std::memset(window_.data() + in_window + part, 0, bytes - in_window - part);
  LT_RETURN_IF_ERROR(WriteWindow(frame, bytes));
  frame.extent()->set_checksum(layer_++, std::exchange(crc_, 0));
  at_ = 0;
  return absl::OkStatus();
}

// The window that ends at at_, or with the block in which that lies.
absl::Status KvFiller::WriteWindow(KvFrame& frame, uint64_t bytes) {
  const auto window = window_.span().first(bytes);
  const uint64_t begin = (at_ - 1) / kKvPieceBytes * kKvPieceBytes;
  LT_RETURN_IF_ERROR(share().file()->WriteAt(frame.extent()->file_offset(layer_) + begin, window));
  crc_ = ExtendCrc32c(crc_, window);
  return absl::OkStatus();
}

}  // namespace longtake
