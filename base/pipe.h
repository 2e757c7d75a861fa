// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Text that a shell hands over through a pipe, such as /dev/stdin or <(command). Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status_macros.h"

namespace longtake {

// Whether the path names a pipe, links followed. False when there is nothing.
bool IsPipe(const std::string& path);

// All of it until its writers have closed it. INVALID_ARGUMENT: more than bytes_max, or nothing at
// all, which is what a pipe without a writer gives. DEADLINE_EXCEEDED: nothing came for
// timeout_millis. The message names the path.
absl::StatusOr<std::string> ReadPipe(const std::string& path, uint64_t bytes_max,
                                     int timeout_millis);

}  // namespace longtake
