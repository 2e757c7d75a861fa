// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/service_context.h"

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "server/errors.h"
#include "server/log.h"
#include "server/media_writer.h"

namespace longtake {
namespace {

void LogCreated(const Session& session) {
  const ResolvedSpec& spec = session.spec();
  Log(LogLevel::kInfo, "session created",
      {{"session", session.id()},
       {"width", spec.width},
       {"height", spec.height},
       {"frames", spec.frame_count},
       {"seed", std::to_string(spec.seed)}});
}

void LogKvInFile(const Session& session, const absl::StatusOr<SessionEstimate>& estimate) {
  if (!estimate.ok()) return;
  Log(LogLevel::kInfo, "its keys and values live in the file",
      {{"session", session.id()},
       {"bytes_per_sweep", static_cast<int64_t>(estimate->kv_file_bytes_per_sweep)},
       {"slowdown", estimate->kv_file_slowdown}});
}

// Of what always asks the store.
absl::Status CheckMayWait(const Engine& engine, const Caller& caller) {
  return engine.keeps_sessions() && !caller.may_wait ? NeedsDisk() : absl::OkStatus();
}

}  // namespace

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

absl::StatusOr<CreatedSession> ServiceContext::CreateSession(
    const v1::CreateSessionRequest& request, const Caller& caller) {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseNewSessionId(request.session_id()));
  LT_ASSIGN_OR_RETURN(const ResolvedSpec spec, ResolveSpec(request.spec()));
  absl::StatusOr<CreatedSession> created = engine.CreateSession(spec, id, caller);
  if (IsMakingRoom(created.status()) || IsNeedsDisk(created.status())) return created;
  if (!created.ok()) {
    metrics.CountRejected(ReasonFor(created.status()));
    Log(LogLevel::kInfo, "session refused",
        {{"session", id},
         {"reason", ReasonName(created.status())},
         {"message", std::string(created.status().message())}});
    return WithFieldPrefix(created.status(), "spec.");
  }
  if (!created->is_new) return created;
  metrics.CountAdmitted();
  LogCreated(*created->session);
  if (created->kv_in_file) LogKvInFile(*created->session, engine.Estimate(spec));
  return created;
}

absl::StatusOr<SessionInfo> ServiceContext::DescribeSession(const std::string& name,
                                                            const Caller& caller) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(name));
  return engine.Describe(id, caller);
}

absl::Status ServiceContext::DeleteSession(const std::string& name, const Caller& caller) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(name));
  LT_RETURN_IF_ERROR(engine.DeleteSession(id, caller));
  Log(LogLevel::kInfo, "session deleted", {{"session", id}});
  return absl::OkStatus();
}

absl::StatusOr<std::string> ServiceContext::ForkSession(const v1::ForkSessionRequest& request,
                                                        const Caller& caller) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(request.name()));
  LT_ASSIGN_OR_RETURN(const ForkRequest fork, ParseFork(request));
  LT_RETURN_IF_ERROR(CheckMayWait(engine, caller));
  if (fork.media_kind.has_value()) {
    LT_ASSIGN_OR_RETURN(SessionInfo parent, engine.Describe(id));
    parent.spec.media_kind = *fork.media_kind;
    LT_ASSIGN_OR_RETURN(const ResolvedSpec spec, engine.Resolve(parent.spec));
    LT_RETURN_IF_ERROR(CheckMedia(spec));
  }
  LT_ASSIGN_OR_RETURN(const std::string fork_id, engine.Fork(id, fork));
  Log(LogLevel::kInfo, "session forked",
      {{"session", id}, {"fork", fork_id}, {"chunk", request.chunk()}});
  return absl::StrCat("sessions/", fork_id);
}

absl::Status ServiceContext::RewindSession(const v1::RewindSessionRequest& request,
                                           const Caller& caller,
                                           std::optional<double>* resume_seconds) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(request.name()));
  LT_RETURN_IF_ERROR(CheckMayWait(engine, caller));
  LT_ASSIGN_OR_RETURN(*resume_seconds, engine.ForeseeRewind(id, request.chunk()));
  if (request.validate_only()) return absl::OkStatus();
  LT_RETURN_IF_ERROR(engine.Rewind(id, request.chunk()));
  Log(LogLevel::kInfo, "session rewound", {{"session", id}, {"chunk", request.chunk()}});
  return absl::OkStatus();
}

absl::Status ServiceContext::ParkSession(const std::string& name, const Caller& caller,
                                         std::function<void()> left) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(name));
  LT_RETURN_IF_ERROR(CheckMayWait(engine, caller));
  LT_RETURN_IF_ERROR(engine.Park(id, std::move(left)));
  Log(LogLevel::kInfo, "session parked", {{"session", id}});
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Session>> ServiceContext::WakeSession(
    const std::string& name, int64_t next_chunk, const std::optional<Told>& told,
    const Caller& caller) const {
  LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(name));
  return engine.Wake(id, next_chunk, caller, told);
}

}  // namespace longtake
