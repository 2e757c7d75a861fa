// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The one place where what a client asks for is checked against the model. Pure functions.
#pragma once

#include <string>

#include "base/status_macros.h"
#include "engine/session/resolved_spec.h"
#include "engine/video/rollout.h"
#include "engine/video/video_model.h"

namespace longtake {

// Fills in the recipe's defaults. INVALID_ARGUMENT begins with the field, "width: 100 is not a
// multiple of 16"; FAILED_PRECONDITION when the spec names another numerics profile than the
// model's.
absl::StatusOr<ResolvedSpec> ResolveSpec(const SessionSpec& spec, const VideoModel& model);

// Errors as ResolveSpec, for a prompt that comes later.
absl::Status CheckPrompt(const std::string& field, const std::string& prompt);

// Errors as ResolveSpec, for an event that names a frame: no chunk of the take begins there or
// later.
absl::Status CheckFrame(const std::string& field, int64_t frame, const ResolvedSpec& spec,
                        int64_t chunk_frames);

// The first chunk that begins at this pixel frame or after it; chunks are of so many latent frames.
int64_t ChunkFrom(int64_t frame, int64_t chunk_frames);

// How the session is rolled out.
RolloutSpec RolloutFor(const ResolvedSpec& spec, const VideoModel& model);

}  // namespace longtake
