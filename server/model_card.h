// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The model a server runs and what it costs, as a message. Any thread.
#pragma once

#include "engine/video/video_model.h"
#include "longtake/v1/longtake.pb.h"

namespace longtake {

void RenderModel(const VideoModel& model, v1::Model* out);

}  // namespace longtake
