// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/errors.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/store/commit_queue.h"
#include "google/rpc/error_details.pb.h"
#include "server/limits.h"

namespace longtake {
namespace {

template <typename Detail>
void AddDetail(const Detail& detail, google::rpc::Status* out) {
  out->add_details()->PackFrom(detail);
}

void AddFieldViolation(const absl::Status& status, const std::string& message,
                       google::rpc::Status* out) {
  const auto field = FieldOf(status);
  if (!field.has_value()) return;
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(*field);
  violation->set_description(message.substr(std::min(message.size(), field->size() + 2)));
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
constexpr std::pair<Reason, const char*> kFileMessages[] = {
    {Reason::kStorageUnavailable,
     "the server's disk did not give what the session needs; the server's log says more"},
    {Reason::kPackCorrupt,
     "the model's files on the server are damaged; the server's log says which and where"},
    {Reason::kKvFileCorrupt,
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

std::string ReasonName(const absl::Status& status) { return InfoOf(ReasonFor(status)).name; }

std::string ClientMessage(const absl::Status& status) {
  const Reason own = ReasonFor(status);
  if (status.message() == CommitQueue::kNoAnswer) return CommitQueue::kNoAnswer;
  for (const auto& [reason, message] : kFileMessages) {
    if (own == reason) return message;
  }
  const std::string message(status.message());
  // What names a field of the request may repeat what the client said of it.
  return absl::IsInvalidArgument(status) ? message : HidePaths(message);
}

absl::Status ProtocolError(const std::string& why) { return Error(Reason::kStreamProtocol, why); }

absl::Status LateError(int64_t seconds) {
  return Error(Reason::kRequestLate, absl::StrCat("no request came within ", seconds, " s"));
}

absl::Status BusyError() {
  return Error(Reason::kServerBusy, "too many calls wait to be looked at");
}

absl::Status GarbledError(const std::string& message) {
  return FieldError("request", absl::StrCat("these bytes are no ", message));
}

google::rpc::Status RenderError(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status).value_or(ErrorReason{.reason = ReasonFor(status)});
  const ReasonInfo& known = InfoOf(reason.reason);
  google::rpc::Status out;
  out.set_code(static_cast<int32_t>(status.code()));
  out.set_message(CutMessage(status));
  google::rpc::ErrorInfo info;
  info.set_reason(known.name);
  info.set_domain("longtake");
  info.mutable_metadata()->insert(reason.metadata.begin(), reason.metadata.end());
  AddDetail(info, &out);
  AddFieldViolation(status, out.message(), &out);
  AddResource(reason.metadata, &out);
  if (known.retry_millis > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(known.retry_millis / 1000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(known.retry_millis % 1000 * 1'000'000));
    AddDetail(retry, &out);
  }
  return out;
}

}  // namespace longtake
