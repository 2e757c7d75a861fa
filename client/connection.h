// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A channel to a longtake server, and its errors in words.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "longtake/v1/longtake.grpc.pb.h"

namespace longtake {

// Never fails by itself: the first call tells whether anybody is there. A server on this machine is
// reached directly, whatever http_proxy and its like say; to another one the way leads through the
// environment's proxy. While there is a call, a server or a way to it that vanished without a word
// is noticed within 25 s.
std::unique_ptr<v1::LongtakeService::Stub> Connect(const std::string& server);

// The message, then what the status details add: which field, when to try again. The text is the
// server's as it came; whoever prints it makes it fit for a line (base/printable_text.h).
absl::Status FromGrpc(const grpc::Status& status);

// Whether a call ended because the server or the way to it is gone or going, which says nothing of
// what was asked.
bool IsBreak(const grpc::Status& status);
// Whether it ended because a disk of the server fails.
bool IsDiskFailure(const grpc::Status& status);
// Whether the server says that the same may do later.
bool MayRetry(const grpc::Status& status);
// What a server has of a session that comes back from its disk without the chunk that was asked
// for, or with less than was told: epoch and durable_through alone. Nothing of any other status.
std::optional<v1::Session> SessionOnDisk(const grpc::Status& status);

}  // namespace longtake
