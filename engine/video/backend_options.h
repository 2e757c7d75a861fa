// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a model's two backends are made: one sweeps, one decodes. Pure functions of the pack's tables
// and the options, so that memory plan and model agree.
#pragma once

#include <string>

#include "engine/backend/backend.h"
#include "engine/video/video_options.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

// OK for what CreateCpuBackend knows or refuses by itself. A GPU's is refused by reason: with what
// CreateCudaBackend says where there is none, UNIMPLEMENTED with what models lack where there is.
absl::Status CheckNumericsProfile(const std::string& profile);

// Errors of CheckNumericsProfile and PackDirectory::Component.
absl::StatusOr<CpuBackendOptions> SweepBackendOptions(const PackDirectory& pack,
                                                      const VideoModelOptions& options);
// Latents become pixels in fp32 in every profile: that is where bf16 would be seen.
CpuBackendOptions DecodeBackendOptions(const VideoModelOptions& options);

}  // namespace longtake
