// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/errors.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/rpc/error_details.pb.h"
#include "server/limits.h"

namespace longtake {
namespace {

using Code = absl::StatusCode;

// The first of each code is what a status of that code without a reason gets.
constexpr KnownReason kReasons[] = {
    {"INVALID_FIELD", Code::kInvalidArgument, 0},
    {"STREAM_PROTOCOL", Code::kInvalidArgument, 0},
    {"SESSION_NOT_FOUND", Code::kNotFound, 0},
    {"MODEL_NOT_FOUND", Code::kNotFound, 0},
    {"SESSION_EXISTS", Code::kAlreadyExists, 0},
    {"SESSION_MEMORY_EXHAUSTED", Code::kResourceExhausted, 5000},
    {"SESSION_PLACES_EXHAUSTED", Code::kResourceExhausted, 5000},
    {"SESSION_TOO_LARGE", Code::kResourceExhausted, 0},
    {"EVENTS_WAITING", Code::kResourceExhausted, 1000},
    {"CHUNK_NOT_HELD", Code::kOutOfRange, 0},
    {"TAKEN_OVER", Code::kAborted, 0},
    {"SESSION_OVER", Code::kFailedPrecondition, 0},
    {"NUMERICS_DIFFER", Code::kFailedPrecondition, 0},
    {"CALL_CANCELLED", Code::kCancelled, 0},
    {"SESSION_DELETED", Code::kCancelled, 0},
    {"SESSION_EXPIRED", Code::kCancelled, 0},
    {"STORAGE_UNAVAILABLE", Code::kUnavailable, 1000},
    {"SHUTTING_DOWN", Code::kUnavailable, 1000},
    {"PACK_CORRUPT", Code::kDataLoss, 0},
    {"KV_FILE_CORRUPT", Code::kDataLoss, 0},
    {"INTERNAL", Code::kInternal, 0},
    {"NOT_FINITE", Code::kInternal, 0},
};

const KnownReason* FindReason(const std::string& name) {
  const auto* found =
      std::find_if(std::begin(kReasons), std::end(kReasons),
                   [&name](const KnownReason& known) { return name == known.name; });
  return found == std::end(kReasons) ? nullptr : found;
}

const KnownReason& UsualReason(absl::StatusCode code) {
  for (const KnownReason& known : kReasons) {
    if (known.code == code) return known;
  }
  return *FindReason("INTERNAL");
}

template <typename Detail>
void AddDetail(const Detail& detail, google::rpc::Status* out) {
  out->add_details()->PackFrom(detail);
}

// "width: not a multiple of 16" names its field; prose does not.
void AddFieldViolation(const std::string& message, google::rpc::Status* out) {
  const size_t colon = message.find(": ");
  if (colon == std::string::npos || message.substr(0, colon).find(' ') != std::string::npos) return;
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(message.substr(0, colon));
  violation->set_description(message.substr(colon + 2));
  AddDetail(bad, out);
}

void AddResource(const std::map<std::string, std::string>& metadata, google::rpc::Status* out) {
  const auto session = metadata.find("session");
  if (session == metadata.end()) return;
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("longtake.v1.Session");
  resource.set_resource_name(absl::StrCat("sessions/", session->second));
  AddDetail(resource, out);
}

// What is said instead of a message that is about the server's own files.
constexpr std::pair<const char*, const char*> kFileMessages[] = {
    {"STORAGE_UNAVAILABLE",
     "the server's disk did not give what the session needs; the server's log says more"},
    {"PACK_CORRUPT",
     "the model's files on the server are damaged; the server's log says which and where"},
    {"KV_FILE_CORRUPT",
     "keys and values came back from the server's disk other than they were written"},
};

// Replaces words that begin as paths do.
std::string HidePaths(const std::string& message) {
  std::vector<std::string> words = absl::StrSplit(message, ' ');
  for (std::string& word : words) {
    const size_t begin = word.find_first_not_of("\"'(");
    if (begin == std::string::npos) continue;
    const std::string path = word.substr(begin);
    if (!path.starts_with('/') && !path.starts_with("./") && !path.starts_with("../")) continue;
    word = absl::StrCat("(a file of the server)", word.back() == ':' ? ":" : "");
  }
  return absl::StrJoin(words, " ");
}

// Never in the middle of a UTF-8 character, which protobuf would refuse to send.
std::string CutMessage(const absl::Status& status) {
  std::string message = ClientMessage(status);
  if (message.size() <= kErrorMessageBytesMax) return message;
  size_t end = kErrorMessageBytesMax;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;
  message.resize(end);
  return message;
}

}  // namespace

std::span<const KnownReason> KnownReasons() { return kReasons; }

std::string ReasonName(const absl::Status& status) {
  const std::optional<ErrorReason> reason = ReasonOf(status);
  return reason.has_value() ? reason->name : UsualReason(status.code()).name;
}

std::string ClientMessage(const absl::Status& status) {
  const std::string reason = ReasonName(status);
  for (const auto& [name, message] : kFileMessages) {
    if (reason == name) return message;
  }
  const std::string message(status.message());
  // What names a reason or a field of the request was written for clients.
  if (ReasonOf(status).has_value() || absl::IsInvalidArgument(status)) return message;
  return HidePaths(message);
}

google::rpc::Status RenderError(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status).value_or(ErrorReason{ReasonName(status), {}});
  google::rpc::Status out;
  out.set_code(static_cast<int32_t>(status.code()));
  out.set_message(CutMessage(status));
  google::rpc::ErrorInfo info;
  info.set_reason(reason.name);
  info.set_domain("longtake");
  info.mutable_metadata()->insert(reason.metadata.begin(), reason.metadata.end());
  AddDetail(info, &out);
  if (reason.name == "INVALID_FIELD") AddFieldViolation(out.message(), &out);
  AddResource(reason.metadata, &out);
  const KnownReason* known = FindReason(reason.name);
  if (known != nullptr && known->retry_millis > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(known->retry_millis / 1000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(known->retry_millis % 1000 * 1'000'000));
    AddDetail(retry, &out);
  }
  return out;
}

}  // namespace longtake
