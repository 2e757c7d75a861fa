// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A channel to a longtake server, and its errors in words.
#pragma once

#include <memory>
#include <string>

#include "base/status_macros.h"
#include "longtake/v1/longtake.grpc.pb.h"

namespace longtake {

// Never fails by itself: the first call tells whether anybody is there.
std::unique_ptr<v1::LongtakeService::Stub> Connect(const std::string& server);

// The message, then what the status details add: which field, when to try again.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace longtake
