// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/media_formats.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

absl::StatusOr<MediaFormat> OpenFormat(const ResolvedSpec& spec) {
  const Fmp4Options options = {.width = static_cast<int>(spec.width),
                               .height = static_cast<int>(spec.height),
                               .fps = static_cast<int>(spec.fps)};
  MediaFormat format;
  LT_ASSIGN_OR_RETURN(format.encoder, Fmp4Encoder::Create(options));
  LT_ASSIGN_OR_RETURN(format.init_segment, format.encoder->InitSegment());
  return format;
}

}  // namespace

absl::Status MediaEncoderError(const absl::Status& status) {
  return absl::InternalError(absl::StrCat("encoding the video: ", status.message()));
}

absl::StatusOr<std::shared_ptr<const MediaFormat>> MediaFormats::Get(const ResolvedSpec& spec) {
  const Key key = {spec.width, spec.height, spec.fps};
  {
    MutexLock lock(mutex_);
    if (auto found = Find(key); found != nullptr) return found;
  }
  absl::StatusOr<MediaFormat> opened = OpenFormat(spec);
  if (!opened.ok()) return MediaEncoderError(opened.status());
  auto made = std::make_shared<const MediaFormat>(*std::move(opened));
  MutexLock lock(mutex_);
  if (auto found = Find(key); found != nullptr) return found;  // another thread was as fast
  if (kept_.size() == kKeptMax) kept_.pop_back();
  kept_.emplace(kept_.begin(), key, made);
  return made;
}

std::shared_ptr<const MediaFormat> MediaFormats::Find(const Key& key) {
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&key](const auto& kept) { return kept.first == key; });
  if (found == kept_.end()) return nullptr;
  std::rotate(kept_.begin(), found, found + 1);
  return kept_.front().second;
}

}  // namespace longtake
