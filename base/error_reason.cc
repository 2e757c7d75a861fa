// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/error_reason.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

using Code = absl::StatusCode;

constexpr char kReasonUrl[] = "longtake/reason";
constexpr char kFieldUrl[] = "longtake/field";

// The first of each code is what a status of that code without a reason gets.
constexpr ReasonInfo kReasons[] = {
    {Reason::kInvalidField, "INVALID_FIELD", Code::kInvalidArgument, 0},
    {Reason::kStreamProtocol, "STREAM_PROTOCOL", Code::kInvalidArgument, 0},
    {Reason::kSessionNotFound, "SESSION_NOT_FOUND", Code::kNotFound, 0},
    {Reason::kModelNotFound, "MODEL_NOT_FOUND", Code::kNotFound, 0},
    {Reason::kSessionExists, "SESSION_EXISTS", Code::kAlreadyExists, 0},
    {Reason::kSessionMemoryExhausted, "SESSION_MEMORY_EXHAUSTED", Code::kResourceExhausted, 5000},
    {Reason::kSessionPlacesExhausted, "SESSION_PLACES_EXHAUSTED", Code::kResourceExhausted, 5000},
    {Reason::kPeerShareExhausted, "PEER_SHARE_EXHAUSTED", Code::kResourceExhausted, 5000},
    {Reason::kSessionTooLarge, "SESSION_TOO_LARGE", Code::kResourceExhausted, 0},
    {Reason::kEventsWaiting, "EVENTS_WAITING", Code::kResourceExhausted, 1000},
    {Reason::kServerBusy, "SERVER_BUSY", Code::kResourceExhausted, 1000},
    {Reason::kStoreFull, "STORE_FULL", Code::kResourceExhausted, 5000},
    {Reason::kAttachedTooOften, "ATTACHED_TOO_OFTEN", Code::kResourceExhausted, 1000},
    {Reason::kRequestLate, "REQUEST_LATE", Code::kDeadlineExceeded, 1000},
    {Reason::kChunkNotHeld, "CHUNK_NOT_HELD", Code::kOutOfRange, 0},
    {Reason::kTakenOver, "TAKEN_OVER", Code::kAborted, 0},
    {Reason::kSessionOver, "SESSION_OVER", Code::kFailedPrecondition, 0},
    {Reason::kNumericsDiffer, "NUMERICS_DIFFER", Code::kFailedPrecondition, 0},
    {Reason::kModelDiffers, "MODEL_DIFFERS", Code::kFailedPrecondition, 0},
    {Reason::kNoStore, "NO_STORE", Code::kFailedPrecondition, 0},
    {Reason::kCallCancelled, "CALL_CANCELLED", Code::kCancelled, 0},
    {Reason::kSessionDeleted, "SESSION_DELETED", Code::kCancelled, 0},
    {Reason::kSessionExpired, "SESSION_EXPIRED", Code::kCancelled, 0},
    {Reason::kSessionParked, "SESSION_PARKED", Code::kCancelled, 0},
    {Reason::kClientIdle, "CLIENT_IDLE", Code::kCancelled, 0},
    {Reason::kStartLate, "START_LATE", Code::kCancelled, 0},
    {Reason::kStorageUnavailable, "STORAGE_UNAVAILABLE", Code::kUnavailable, 1000},
    {Reason::kShuttingDown, "SHUTTING_DOWN", Code::kUnavailable, 1000},
    {Reason::kPackCorrupt, "PACK_CORRUPT", Code::kDataLoss, 0},
    {Reason::kKvFileCorrupt, "KV_FILE_CORRUPT", Code::kDataLoss, 0},
    {Reason::kSessionCorrupt, "SESSION_CORRUPT", Code::kDataLoss, 0},
    {Reason::kHistoryLost, "HISTORY_LOST", Code::kDataLoss, 0},
    {Reason::kInternal, "INTERNAL", Code::kInternal, 0},
    {Reason::kNotFinite, "NOT_FINITE", Code::kInternal, 0},
    {Reason::kDeviceLost, "DEVICE_LOST", Code::kInternal, 0},
};

constexpr bool TableIsInOrder() {
  for (size_t i = 0; i < std::size(kReasons); ++i) {
    if (kReasons[i].reason != static_cast<Reason>(i)) return false;
  }
  return std::size(kReasons) == kReasonCount;
}
static_assert(TableIsInOrder());

// Strings of any bytes, each with its length before it.
void Append(const std::string& text, std::string* out) {
  absl::StrAppend(out, text.size(), ":", text);
}

std::string Next(std::string* rest) {
  const size_t colon = rest->find(':');
  const size_t size = std::stoul(rest->substr(0, colon));
  std::string text = rest->substr(colon + 1, size);
  rest->erase(0, colon + 1 + size);
  return text;
}

absl::Status WithReason(absl::Status status, const ErrorReason& reason) {
  std::string payload;
  Append(std::to_string(static_cast<int>(reason.reason)), &payload);
  for (const auto& [key, value] : reason.metadata) {
    Append(key, &payload);
    Append(value, &payload);
  }
  status.SetPayload(kReasonUrl, absl::Cord(payload));
  return status;
}

}  // namespace

std::span<const ReasonInfo> Reasons() { return kReasons; }

const ReasonInfo& InfoOf(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }

absl::Status Error(Reason reason, const std::string& message,
                   const std::map<std::string, std::string>& metadata) {
  return WithReason(absl::Status(InfoOf(reason).code, message),
                    {.reason = reason, .metadata = metadata});
}

absl::Status WithMetadata(const absl::Status& status, const std::string& key,
                          const std::string& value) {
  ErrorReason reason = ReasonOf(status).value_or(ErrorReason{.reason = ReasonFor(status)});
  reason.metadata[key] = value;
  return WithReason(status, reason);
}

std::optional<ErrorReason> ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonUrl);
  if (!payload.has_value()) return std::nullopt;
  std::string rest(*payload);
  ErrorReason reason = {.reason = static_cast<Reason>(std::stoi(Next(&rest)))};
  while (!rest.empty()) {
    const std::string key = Next(&rest);
    reason.metadata[key] = Next(&rest);
  }
  return reason;
}

Reason ReasonFor(const absl::Status& status) {
  if (const auto own = ReasonOf(status); own.has_value()) return own->reason;
  const auto* usual =
      std::find_if(std::begin(kReasons), std::end(kReasons),
                   [&status](const ReasonInfo& info) { return info.code == status.code(); });
  return usual == std::end(kReasons) ? Reason::kInternal : usual->reason;
}

absl::Status FieldError(const std::string& field, const std::string& why) {
  absl::Status status = absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
  status.SetPayload(kFieldUrl, absl::Cord(field));
  return status;
}

std::optional<std::string> FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldUrl);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

absl::Status WithFieldPrefix(const absl::Status& status, const std::string& prefix) {
  const auto field = FieldOf(status);
  if (!field.has_value()) return status;
  absl::Status out(status.code(), absl::StrCat(prefix, status.message()));
  status.ForEachPayload(
      [&out](auto url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  const std::string path = prefix + *field;  // clang finds no Cord of a temporary in the library
  out.SetPayload(kFieldUrl, absl::Cord(path));
  return out;
}

}  // namespace longtake
