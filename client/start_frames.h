// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a take begins with: frames of a picture or of the end of a video, as many as fill whole
// chunks of latents.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "client/connection.h"

namespace longtake {

// Reads the file, and says in the spec how many frames there are and of which size. A picture
// stands still for a chunk; a video gives at most frames_max of its last frames. INVALID_ARGUMENT
// names the option or the file.
absl::StatusOr<std::vector<uint8_t>> ReadStartFrames(v1::LongtakeService::Stub& stub,
                                                     const std::string& path, int64_t frames_max,
                                                     v1::SessionSpec* spec);

}  // namespace longtake
