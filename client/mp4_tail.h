// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a fragmented MP4 that longtake wrote can be gone on with, after its client, the server or
// the disk gave up in the middle: behind its last whole fragment (ISO/IEC 14496-12: boxes, moof,
// mfhd). Reads headers only.
#pragma once

#include <cstdint>
#include <string>

#include "base/status_macros.h"

namespace longtake {

struct Mp4Tail {
  std::string init_segment;  // ftyp and moov
  int64_t whole_bytes = 0;   // up to the end of the last whole fragment
  int64_t next_chunk = 0;    // the first that is not in it
};

// FAILED_PRECONDITION when it is no such file, NOT_FOUND, UNAVAILABLE.
absl::StatusOr<Mp4Tail> ReadMp4Tail(const std::string& path);

}  // namespace longtake
