// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/service.h"

#include <string>
#include <utility>

#include "server/grpc_status.h"
#include "server/list_sessions.h"
#include "server/log.h"
#include "server/model_card.h"
#include "server/peer.h"
#include "server/session_stream.h"

namespace longtake {
namespace {

Caller CallerOf(const grpc::CallbackServerContext& call) {
  return {.peer = PeerNetwork(call.peer())};
}

}  // namespace

grpc::ServerUnaryReactor* LongtakeService::Answer(grpc::CallbackServerContext* call,
                                                  const char* method, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  Finish(reactor, method, status);
  return reactor;
}

grpc::ServerUnaryReactor* LongtakeService::AnswerLater(grpc::CallbackServerContext* call,
                                                       const char* method,
                                                       std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.workers.Schedule(
      [this, reactor, method, work = std::move(work)] { Finish(reactor, method, work()); });
  return reactor;
}

void LongtakeService::Finish(grpc::ServerUnaryReactor* reactor, const char* method,
                             const absl::Status& status) {
  context_.metrics.CountRpc(method, std::string(absl::StatusCodeToString(status.code())));
  reactor->Finish(ToGrpcStatus(status));
}

grpc::ServerUnaryReactor* LongtakeService::CreateSession(grpc::CallbackServerContext* call,
                                                         const v1::CreateSessionRequest* request,
                                                         v1::CreateSessionResponse* response) {
  return AnswerLater(call, "CreateSession", [=, this]() -> absl::Status {
    LT_ASSIGN_OR_RETURN(const CreatedSession created,
                        context_.CreateSession(*request, CallerOf(*call)));
    RenderSession(created.session->Info(), context_.model, response->mutable_session());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* LongtakeService::EstimateSession(
    grpc::CallbackServerContext* call, const v1::EstimateSessionRequest* request,
    v1::EstimateSessionResponse* response) {
  const auto estimate = [&]() -> absl::Status {
    LT_ASSIGN_OR_RETURN(const ResolvedSpec spec, context_.ResolveSpec(request->spec()));
    LT_ASSIGN_OR_RETURN(SessionEstimate cost, context_.engine.Estimate(spec, CallerOf(*call)));
    if (context_.draining) {
      cost.fits_now = false;
      cost.refusal = "the server is shutting down";
    }
    RenderEstimate(cost, response->mutable_estimate());
    return absl::OkStatus();
  };
  return Answer(call, "EstimateSession", estimate());
}

grpc::ServerUnaryReactor* LongtakeService::GetSession(grpc::CallbackServerContext* call,
                                                      const v1::GetSessionRequest* request,
                                                      v1::GetSessionResponse* response) {
  const auto session = context_.FindSession(request->name());
  if (session.ok()) {
    RenderSession((*session)->Info(), context_.model, response->mutable_session());
  }
  return Answer(call, "GetSession", session.status());
}

grpc::ServerUnaryReactor* LongtakeService::ListSessions(grpc::CallbackServerContext* call,
                                                        const v1::ListSessionsRequest* request,
                                                        v1::ListSessionsResponse* response) {
  return Answer(call, "ListSessions", longtake::ListSessions(context_, *request, response));
}

grpc::ServerUnaryReactor* LongtakeService::DeleteSession(grpc::CallbackServerContext* call,
                                                         const v1::DeleteSessionRequest* request,
                                                         v1::DeleteSessionResponse*) {
  const auto remove = [&]() -> absl::Status {
    LT_ASSIGN_OR_RETURN(const std::string id, ParseSessionName(request->name()));
    LT_RETURN_IF_ERROR(context_.engine.DeleteSession(id));
    Log(LogLevel::kInfo, "session deleted", {{"session", id}});
    return absl::OkStatus();
  };
  return Answer(call, "DeleteSession", remove());
}

grpc::ServerBidiReactor<v1::StreamRequest, v1::StreamResponse>* LongtakeService::Stream(
    grpc::CallbackServerContext* call) {
  return SessionStream::Start(context_, *call, CallerOf(*call));
}

grpc::ServerUnaryReactor* LongtakeService::ListModels(grpc::CallbackServerContext* call,
                                                      const v1::ListModelsRequest* request,
                                                      v1::ListModelsResponse* response) {
  const absl::Status status = ParsePage(request->page_size(), request->page_token()).status();
  // One model is one page.
  if (status.ok() && request->page_token().empty()) {
    RenderModel(context_.engine.model(), response->add_models());
  }
  return Answer(call, "ListModels", status);
}

grpc::ServerUnaryReactor* LongtakeService::GetModel(grpc::CallbackServerContext* call,
                                                    const v1::GetModelRequest* request,
                                                    v1::GetModelResponse* response) {
  const absl::Status status = CheckModelName("name", request->name(), context_.model.name);
  if (status.ok()) RenderModel(context_.engine.model(), response->mutable_model());
  return Answer(call, "GetModel", status);
}

}  // namespace longtake
