// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long a pack's decoders take: the part of a calibration that is about the decode
// lane. One thread.
#pragma once

#include "base/clock.h"
#include "base/worker_pool.h"
#include "engine/video/pixel_seconds.h"
#include "engine/video/video_options.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

// Of some streams of small pictures, of two sizes: past their first latents, and those. Takes the
// decoders' weights and at most 64 MiB, and gives them back. Errors as VideoModel::Open.
absl::StatusOr<PixelSeconds> MeasureDecoders(const PackDirectory& pack,
                                             const VideoModelOptions& options, WorkerPool& workers,
                                             Clock& clock);

}  // namespace longtake
