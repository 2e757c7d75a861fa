// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the store says of a session's name. Used by this folder alone.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

inline absl::Status NoSession(const std::string& id) {
  return Error(Reason::kSessionNotFound, absl::StrCat("no session ", id), {{"session", id}});
}

inline absl::Status SessionExists(const std::string& id) {
  return Error(Reason::kSessionExists, absl::StrCat("session ", id, " exists"), {{"session", id}});
}

inline absl::Status Corrupt(const std::string& id, const std::string& problem) {
  return Error(Reason::kSessionCorrupt, absl::StrCat("session ", id, ": ", problem),
               {{"session", id}});
}

}  // namespace longtake
