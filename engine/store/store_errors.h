// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the store says of a session's name, and of what it was told. Used by this folder alone.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

// Of a session whose row does not prove itself.
inline constexpr char kRowIsDamaged[] = "its own row is damaged";

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

// For clients. What we say has a reason; what the disk and SQLite say has none, and the usual one
// of its code is of something else: of memory, or of the model's files.
inline absl::Status OfReading(const absl::Status& status) {
  if (status.ok() || ReasonOf(status).has_value()) return status;
  const Reason reason =
      absl::IsDataLoss(status) ? Reason::kSessionCorrupt : Reason::kStorageUnavailable;
  return Error(reason, std::string(status.message()));
}
// Damage that ends a commit is nobody's alone.
inline absl::Status OfWriting(const absl::Status& status) {
  if (status.ok() || ReasonOf(status).has_value()) return status;
  const Reason reason =
      absl::IsResourceExhausted(status) ? Reason::kStoreFull : Reason::kStorageUnavailable;
  return Error(reason, std::string(status.message()));
}

}  // namespace longtake
