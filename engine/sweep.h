// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A sweep: one pass over all layers of a stack for everyone who takes part. The most important loop
// of longtake; layers outside, sessions inside (the pass stacks their rows).
#pragma once

#include <functional>

#include "base/status_macros.h"
#include "engine/model/stack_pass.h"
#include "storage/layer_stream.h"

namespace longtake {

// Runs the pass over every layer. keep_going is asked between layers; when it says no, the sweep is
// dropped with CANCELLED. After any error the stream is back at its first layer.
absl::Status RunSweep(StackPass& pass, LayerStream& layers,
                      const std::function<bool()>& keep_going);

}  // namespace longtake
