// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/start_upload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

absl::StatusOr<std::string_view> StartUpload::Add(const ResolvedSpec& spec, int64_t offset,
                                                  std::string_view bytes) {
  const size_t expected = spec.start_bytes();
  if (expected == 0) return FieldError("data", "this session begins with noise");
  const auto begin = static_cast<size_t>(offset);
  if (offset < 0 || begin < next_ || begin > size()) {
    return FieldError("data_offset",
                      absl::StrCat(offset, "; the next byte is number ", recorded()));
  }
  if (bytes.size() > expected - begin) {
    return FieldError("data", absl::StrCat("more than the ", expected, " bytes of ",
                                           spec.start_frames, " frames"));
  }
  next_ = begin + bytes.size();
  bytes.remove_prefix(std::min(bytes.size(), size() - begin));
  if (bytes.empty()) return bytes;
  recording_.insert(size());
  if (bytes_.empty()) bytes_.reserve(expected);  // counted when the session was admitted
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return bytes;
}

std::vector<uint8_t> StartUpload::Take() {
  taken_ = true;
  size_ = bytes_.size();
  return std::exchange(bytes_, {});
}

void StartUpload::BeginAt(const ResolvedSpec& spec, bool taken, std::vector<uint8_t> came) {
  taken_ = taken;
  size_ = taken ? spec.start_bytes() : 0;
  bytes_ = std::move(came);
}

// Parts are recorded in any order.
size_t StartUpload::recorded() const {
  return recording_.empty() ? size() : std::min(size(), *recording_.begin());
}

}  // namespace longtake
