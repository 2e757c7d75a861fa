// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/service_context.h"

#include "base/error_reason.h"
#include "server/errors.h"
#include "server/log.h"
#include "server/media_writer.h"

namespace longtake {

absl::StatusOr<ResolvedSpec> ServiceContext::ResolveSpec(const v1::SessionSpec& spec) const {
  const auto resolve = [&]() -> absl::StatusOr<ResolvedSpec> {
    LT_ASSIGN_OR_RETURN(const SessionSpec asked, ParseSessionSpec(spec, defaults));
    LT_ASSIGN_OR_RETURN(ResolvedSpec resolved, engine.Resolve(asked));
    LT_RETURN_IF_ERROR(CheckMedia(resolved));
    return resolved;
  };
  absl::StatusOr<ResolvedSpec> resolved = resolve();
  if (!resolved.ok()) return WithFieldPrefix(resolved.status(), "spec.");
  return resolved;
}

absl::StatusOr<std::shared_ptr<Session>> ServiceContext::CreateSession(
    const v1::CreateSessionRequest& request) {
  if (draining) {
    return WithReason(absl::UnavailableError("the server is shutting down"), "SHUTTING_DOWN");
  }
  LT_ASSIGN_OR_RETURN(const std::string id, ParseNewSessionId(request.session_id()));
  LT_ASSIGN_OR_RETURN(const ResolvedSpec spec, ResolveSpec(request.spec()));
  const absl::StatusOr<SessionEstimate> estimate = engine.Estimate(spec);
  absl::StatusOr<std::shared_ptr<Session>> session = engine.CreateSession(spec, id);
  if (!session.ok()) {
    metrics.CountRejected(ReasonName(session.status()));
    Log(LogLevel::kInfo, "session refused",
        {{"session", id},
         {"reason", ReasonName(session.status())},
         {"message", std::string(session.status().message())}});
    return WithFieldPrefix(session.status(), "spec.");
  }
  metrics.CountAdmitted();
  Log(LogLevel::kInfo, "session created",
      {{"session", (*session)->id()},
       {"width", spec.width},
       {"height", spec.height},
       {"frames", spec.frame_count},
       {"seed", std::to_string(spec.seed)}});
  if (estimate.ok() && estimate->kv_in_file) {
    Log(LogLevel::kInfo, "its keys and values live in the file",
        {{"session", (*session)->id()},
         {"bytes_per_sweep", static_cast<int64_t>(estimate->kv_file_bytes_per_sweep)},
         {"slowdown", estimate->kv_file_slowdown}});
  }
  return session;
}

absl::StatusOr<std::shared_ptr<Session>> ServiceContext::FindSession(
    const std::string& name) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(name));
  return engine.FindSession(id);
}

}  // namespace longtake
