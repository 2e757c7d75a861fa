// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/connection.h"

#include <grpcpp/grpcpp.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "client/field_options.h"
#include "client/loopback.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace longtake {
namespace {

// A chunk part is at most 1 MiB; Opened carries an init segment of a few KiB.
constexpr int kMessageBytesMax = 4 << 20;

// What the details say beyond the message.
std::string DetailText(const google::rpc::Status& details, const std::string& message) {
  std::string out;
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        if (message.find(violation.description()) == std::string::npos) {
          absl::StrAppend(&out, "; ", violation.field(), ": ", violation.description());
        }
        const std::string option = OptionOfField(violation.field());
        if (!option.empty()) absl::StrAppend(&out, " (", option, ")");
      }
    } else if (any.UnpackTo(&retry)) {
      absl::StrAppend(&out, "; try again in ", retry.retry_delay().seconds(), " s");
    }
  }
  return out;
}

// The detail of this kind, if the status has one. Only what longtaked itself answers has any.
template <typename Detail>
std::optional<Detail> DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::nullopt;
  Detail detail;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

// 0 for what is no number.
int64_t CountIn(const std::string& text) {
  return static_cast<int64_t>(ParseCount(text).value_or(0));
}

// How soon a channel tries again to connect. Who waits for a server has the longer view.
constexpr int kReconnectMillisMin = 200;
constexpr int kReconnectMillisMax = 1000;

// A machine that vanished says nothing, and nor does one whose next chunk takes long. So a quiet
// connection is asked whether it is there, no sooner than servers allow (client_ping_seconds_min
// in docs/limits.md), however often nothing comes, and it has so long to answer.
constexpr int kKeepaliveMillis = 15'000;
constexpr int kKeepaliveTimeoutMillis = 10'000;

}  // namespace

std::unique_ptr<v1::LongtakeService::Stub> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMillisMin);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMillisMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // The library would send even 127.0.0.1 through it, unless no_proxy names it.
  if (IsLoopbackTarget(server)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return v1::LongtakeService::NewStub(
      grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments));
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  std::string message = status.error_message();
  // The library's words for that nobody listens there.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      message.find("failed to connect to all addresses") != std::string::npos) {
    message = absl::StrCat("no longtaked answers; is one running, and is --server right? (",
                           message, ")");
  }
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) message += DetailText(details, message);
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), message);
}

bool IsBreak(const grpc::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  if (info.has_value()) return info->reason() == "SHUTTING_DOWN";
  // The library's own answers, according to how far the call had come.
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::CANCELLED:
      return true;
    default:
      return false;
  }
}

bool IsDiskFailure(const grpc::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  return info.has_value() && info->reason() == "STORAGE_UNAVAILABLE";
}

bool MayRetry(const grpc::Status& status) {
  return DetailOf<google::rpc::RetryInfo>(status).has_value();
}

std::optional<v1::Session> SessionOnDisk(const grpc::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  if (!info.has_value()) return std::nullopt;
  const auto durable_through = info->metadata().find("durable_through");
  const auto epoch = info->metadata().find("epoch");
  if (durable_through == info->metadata().end() || epoch == info->metadata().end()) {
    return std::nullopt;
  }
  v1::Session session;
  session.set_durable_through(CountIn(durable_through->second));
  session.set_epoch(CountIn(epoch->second));
  return session;
}

}  // namespace longtake
