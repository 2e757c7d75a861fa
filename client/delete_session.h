// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// DeleteSession of the API, with a deadline.
#pragma once

#include <string>

#include "base/status_macros.h"
#include "client/connection.h"

namespace longtake {

// name: "sessions/ID". Blocks for timeout_seconds at most; DEADLINE_EXCEEDED then. Any thread.
absl::Status DeleteSession(v1::LongtakeService::Stub& stub, const std::string& name,
                           double timeout_seconds);

}  // namespace longtake
