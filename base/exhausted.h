// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The standard library throws when the system has no further thread or no memory. Nothing else here
// does, so a program's main turns it into a status, once for all. Any thread.
#pragma once

#include <functional>

#include "base/status_macros.h"

namespace longtake {

// What body returns, or RESOURCE_EXHAUSTED for what it threw.
absl::Status CatchExhausted(const std::function<absl::Status()>& body);

// RESOURCE_EXHAUSTED unless the system gives so many threads more; starts them for a moment. Asked
// before a library is used that cannot be ended when its own threads are missing, as gRPC.
absl::Status CheckThreads(int count);

}  // namespace longtake
