// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// libav's negative return codes as absl::Status. Thread-safe.
#pragma once

#include <string>

#include "base/status_macros.h"

namespace longtake {

// OK for code >= 0. Otherwise "what: libav's words": RESOURCE_EXHAUSTED when memory ran out, else
// INTERNAL, as what a caller can get wrong is checked before libav sees it.
absl::Status AvStatus(int code, const std::string& what);

// For libav's allocators, which answer null.
absl::Status AvOutOfMemory(const std::string& what);

}  // namespace longtake
