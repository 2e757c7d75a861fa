// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// absl::Status -> grpc::Status with its details in the trailing metadata. Pure.
#pragma once

#include <grpcpp/support/status.h>

#include "base/status_macros.h"

namespace longtake {

grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace longtake
