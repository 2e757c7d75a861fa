// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// absl::Status -> google.rpc.Status: the message for people, one ErrorInfo for programs, and where
// they help BadRequest, RetryInfo and ResourceInfo (AIP-193). docs/errors.md lists the reasons; a
// test holds the two against each other. Pure functions.
#pragma once

#include <span>
#include <string>

#include "base/error_reason.h"
#include "base/status_macros.h"
#include "google/rpc/status.pb.h"

namespace longtake {

struct KnownReason {
  const char* name;
  absl::StatusCode code;
  int64_t retry_millis;  // for RetryInfo; 0: none, trying again is pointless
};

std::span<const KnownReason> KnownReasons();

// The status' own reason, or the usual one of its code.
std::string ReasonName(const absl::Status& status);

// The message as a client may read it: without the names of the server's files, which only its log
// has.
std::string ClientMessage(const absl::Status& status);

// The status is not OK. The message is cut at the limit of docs/limits.md.
google::rpc::Status RenderError(const absl::Status& status);

}  // namespace longtake
