// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// gRPC reflection on demand. Its library registers itself with every server of a process that is
// linked with it, so that a flag could not switch it off; it is loaded only when asked for.
#pragma once

#include "base/status_macros.h"

namespace longtake {

// Servers built from now on serve grpc.reflection.v1alpha. NOT_FOUND when the library is missing.
absl::Status LoadReflection();

}  // namespace longtake
