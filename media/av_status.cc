// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/av_status.h"

#include <array>

extern "C" {
#include <libavutil/error.h>
}

namespace longtake {

absl::Status AvStatus(int code, const std::string& what) {
  if (code >= 0) return absl::OkStatus();
  if (code == AVERROR(ENOMEM)) return AvOutOfMemory(what);
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return absl::InternalError(what + ": " + text.data());
}

absl::Status AvOutOfMemory(const std::string& what) {
  return absl::ResourceExhaustedError(what + ": out of memory");
}

}  // namespace longtake
