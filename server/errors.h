// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// absl::Status -> google.rpc.Status: the message for people, one ErrorInfo for programs, and where
// they help BadRequest, RetryInfo and ResourceInfo (AIP-193); docs/errors.md. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/error_reason.h"
#include "base/status_macros.h"
#include "google/rpc/status.pb.h"

namespace longtake {

// The name of ReasonFor(status).
std::string ReasonName(const absl::Status& status);

// The message as a client may read it: without the names of the server's files, which only its log
// has.
std::string ClientMessage(const absl::Status& status);

// Messages that do not come when and as the protocol says.
absl::Status ProtocolError(const std::string& why);
// The request, or a first message, was not there in time.
absl::Status LateError(int64_t seconds);
// Too many calls wait to be looked at.
absl::Status BusyError();
// Bytes that are no message of this kind.
absl::Status GarbledError(const std::string& message);

// The status is not OK. The message is cut at the limit of docs/limits.md.
google::rpc::Status RenderError(const absl::Status& status);

}  // namespace longtake
