// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a program may act on of an absl::Status, while its message is for people: a reason, out of
// one list with its code and retry advice (docs/errors.md; a test holds the two against each
// other), and the field of the request that is wrong. Both travel as payloads of the status, so
// Annotate keeps them. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/status_macros.h"

namespace longtake {

enum class Reason {
  kInvalidField,
  kStreamProtocol,
  kSessionNotFound,
  kModelNotFound,
  kSessionExists,
  kSessionMemoryExhausted,
  kSessionPlacesExhausted,
  kPeerShareExhausted,
  kSessionTooLarge,
  kEventsWaiting,
  kServerBusy,
  kStoreFull,
  kAttachedTooOften,
  kRequestLate,
  kChunkNotHeld,
  kTakenOver,
  kSessionOver,
  kNumericsDiffer,
  kModelDiffers,
  kNoStore,
  kCallCancelled,
  kSessionDeleted,
  kSessionExpired,
  kSessionParked,
  kClientIdle,
  kStartLate,
  kStorageUnavailable,
  kShuttingDown,
  kPackCorrupt,
  kKvFileCorrupt,
  kSessionCorrupt,
  kHistoryLost,
  kInternal,
  kNotFinite,
  kDeviceLost,
};
inline constexpr size_t kReasonCount = static_cast<size_t>(Reason::kDeviceLost) + 1;

struct ReasonInfo {
  Reason reason = Reason::kInternal;
  const char* name = nullptr;  // as clients see it: "INVALID_FIELD"
  absl::StatusCode code = absl::StatusCode::kInternal;
  int64_t retry_millis = 0;  // 0: trying the same again is pointless
};

// In the order of the enum.
std::span<const ReasonInfo> Reasons();
const ReasonInfo& InfoOf(Reason reason);

// An error for this reason, with its code. The metadata is its variable parts, for programs.
absl::Status Error(Reason reason, const std::string& message,
                   const std::map<std::string, std::string>& metadata = {});
// Adds to the metadata of an error that has a reason.
absl::Status WithMetadata(const absl::Status& status, const std::string& key,
                          const std::string& value);

struct ErrorReason {
  Reason reason = Reason::kInternal;
  std::map<std::string, std::string> metadata = {};
};

// Nothing when the status never got one.
std::optional<ErrorReason> ReasonOf(const absl::Status& status);
// The status' own reason, or the usual one of its code.
Reason ReasonFor(const absl::Status& status);

// INVALID_ARGUMENT "field: why".
absl::Status FieldError(const std::string& field, const std::string& why);
// The field of a FieldError; nothing of any other status.
std::optional<std::string> FieldOf(const absl::Status& status);
// Puts the way to the field before it: "spec." + "width". Other statuses stay as they are.
absl::Status WithFieldPrefix(const absl::Status& status, const std::string& prefix);

}  // namespace longtake
