// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the log says of a server that begins to serve, with warnings of what its options leave open.
// Any thread.
#pragma once

#include "engine/video/video_model.h"
#include "server/config.h"

namespace longtake {

// The ports that it got; metrics_port is that of its metrics page.
void LogStart(const Config& config, const VideoModel& model, int port, int metrics_port);

}  // namespace longtake
