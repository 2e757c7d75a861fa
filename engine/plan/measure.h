// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Measures a calibration: some ten seconds of reading the transformer's pack, of computing its
// first layer and of decoding small pictures.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/worker_pool.h"
#include "engine/plan/calibration.h"
#include "engine/video/video_model.h"

namespace longtake {

// Of which model and machine a calibration would be; nothing is measured.
absl::StatusOr<Calibration> CalibrationSubject(FileSystem& files, const std::string& directory,
                                               const VideoModelOptions& options,
                                               WorkerPool& workers);

// Takes no more memory than the model does once it is open and 64 MiB, and gives it back.
absl::StatusOr<Calibration> Calibrate(FileSystem& files, const std::string& directory,
                                      const VideoModelOptions& options, WorkerPool& workers,
                                      Clock& clock);

}  // namespace longtake
