// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/media_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "server/limits.h"
#include "server/render.h"

namespace longtake {

absl::Status CheckMedia(const ResolvedSpec& spec) {
  if (spec.media_kind != MediaKind::kFmp4) return absl::OkStatus();
  for (const auto& [field, pixels] : {std::pair("width", spec.width), {"height", spec.height}}) {
    if (pixels > kFmp4SidePixelsMax) {
      return FieldError(
          field, absl::StrCat(pixels, " is more than MEDIA_KIND_FMP4 takes, ", kFmp4SidePixelsMax));
    }
  }
  return absl::OkStatus();
}

MediaWriter::MediaWriter(std::shared_ptr<const MediaFormat> format, int64_t fps)
    : format_(std::move(format)), fps_(fps) {}

absl::StatusOr<MediaWriter> MediaWriter::Create(const ResolvedSpec& spec, MediaFormats& formats) {
  if (spec.media_kind == MediaKind::kRgb24) return MediaWriter(nullptr, spec.fps);
  LT_ASSIGN_OR_RETURN(auto format, formats.Get(spec));
  return MediaWriter(std::move(format), spec.fps);
}

std::string MediaWriter::init_segment() const {
  return format_ == nullptr ? std::string() : format_->init_segment;
}

absl::Status MediaWriter::Encode(std::shared_ptr<const MediaChunk> chunk) {
  if (format_ != nullptr) {
    auto fragment = format_->encoder->EncodeChunk({chunk->index, chunk->first_frame}, chunk->rgb);
    if (!fragment.ok()) return MediaEncoderError(fragment.status());
    fragment_ = *std::move(fragment);
  }
  chunk_ = std::move(chunk);
  sent_bytes_ = 0;
  return absl::OkStatus();
}

std::pair<const char*, size_t> MediaWriter::bytes() const {
  if (format_ != nullptr) return {fragment_.data(), fragment_.size()};
  return {reinterpret_cast<const char*>(chunk_->rgb.data()), chunk_->rgb.size()};
}

void MediaWriter::NextPart(v1::Chunk* out) {
  const auto [data, size] = bytes();
  const size_t part_bytes = std::min<size_t>(kPartBytesMax, size - sent_bytes_);
  out->set_index(chunk_->index);
  out->set_first_frame(chunk_->first_frame);
  out->set_frame_count(static_cast<int32_t>(chunk_->frame_count));
  RenderFrameTime(chunk_->first_frame, fps_, out->mutable_presentation_time());
  out->set_data_offset(static_cast<int64_t>(sent_bytes_));
  out->set_data(data + sent_bytes_, part_bytes);
  out->set_digest(DigestBytes(chunk_->digest));
  out->set_chain_digest(DigestBytes(chunk_->chain));
  sent_bytes_ += part_bytes;
  out->set_last_part(sent_bytes_ == size);
  if (sent_bytes_ == size) {
    chunk_.reset();
    fragment_.clear();
  }
}

}  // namespace longtake
