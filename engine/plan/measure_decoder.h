// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long a pack's decoders take for a pixel: the part of a calibration that is about the decode
// lane. One thread.
#pragma once

#include "base/clock.h"
#include "base/worker_pool.h"
#include "engine/video/pixel_seconds.h"
#include "engine/video/video_options.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

// Of a stream of small pictures, past its first latent. Takes the decoders' weights and at most
// 64 MiB, and gives them back. Errors as VideoModel::Open.
absl::StatusOr<PixelSeconds> MeasureDecoders(const PackDirectory& pack,
                                             const VideoModelOptions& options, WorkerPool& workers,
                                             Clock& clock);

}  // namespace longtake
