// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Calls of the API about a session, with a deadline. name: "sessions/ID". They block for
// timeout_seconds at most; DEADLINE_EXCEEDED then. Any thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "base/status_macros.h"
#include "client/connection.h"

namespace longtake {

// From now on, whatever the wall clock does.
void SetTimeout(double seconds, grpc::ClientContext* context);

absl::Status DeleteSession(v1::LongtakeService::Stub& stub, const std::string& name,
                           double timeout_seconds);
absl::Status ForkSession(v1::LongtakeService::Stub& stub, const v1::ForkSessionRequest& request,
                         double timeout_seconds);

}  // namespace longtake
