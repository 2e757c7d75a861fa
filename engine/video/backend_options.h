// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a model's two backends are made: one sweeps, one decodes. Pure functions of the pack's tables
// and the options, so that memory plan and model agree.
#pragma once

#include "engine/backend/backend.h"
#include "engine/video/video_options.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

// Errors as of PackDirectory::Component.
absl::StatusOr<CpuBackendOptions> SweepBackendOptions(const PackDirectory& pack,
                                                      const VideoModelOptions& options);
// Latents become pixels in fp32 in every profile: that is where bf16 would be seen.
CpuBackendOptions DecodeBackendOptions(const VideoModelOptions& options);

}  // namespace longtake
