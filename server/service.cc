// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/service.h"

#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "longtake/v1/longtake.grpc.pb.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/list_sessions.h"
#include "server/log.h"
#include "server/model_card.h"
#include "server/raw_message.h"
#include "server/session_stream.h"

namespace longtake {
namespace {

absl::Status CreateSession(ServiceContext& context, const Caller& caller,
                           const v1::CreateSessionRequest& request,
                           v1::CreateSessionResponse* response) {
  LT_ASSIGN_OR_RETURN(const CreatedSession created, context.CreateSession(request, caller));
  RenderSession(context.engine.InfoOf(*created.session), context.model,
                response->mutable_session());
  return absl::OkStatus();
}

absl::Status EstimateSession(ServiceContext& context, const Caller& caller,
                             const v1::EstimateSessionRequest& request,
                             v1::EstimateSessionResponse* response) {
  LT_ASSIGN_OR_RETURN(const ResolvedSpec spec, context.ResolveSpec(request.spec()));
  LT_ASSIGN_OR_RETURN(SessionEstimate cost, context.engine.Estimate(spec, caller));
  if (context.draining) {
    cost.fits_now = false;
    cost.refusal = "the server is shutting down";
  }
  RenderEstimate(cost, response->mutable_estimate());
  return absl::OkStatus();
}

absl::Status GetSession(ServiceContext& context, const Caller& caller,
                        const v1::GetSessionRequest& request, v1::GetSessionResponse* response) {
  LT_ASSIGN_OR_RETURN(const SessionInfo info, context.DescribeSession(request.name(), caller));
  RenderSession(info, context.model, response->mutable_session());
  return absl::OkStatus();
}

absl::Status DeleteSession(ServiceContext& context, const Caller& caller,
                           const v1::DeleteSessionRequest& request, v1::DeleteSessionResponse*) {
  return context.DeleteSession(request.name(), caller);
}

// Of a session to which something was done: that it cannot be described now, as its disk fails,
// must not look as if nothing was.
void RenderChanged(ServiceContext& context, const Caller& caller, const std::string& name,
                   v1::Session* out) {
  const absl::StatusOr<SessionInfo> info = context.DescribeSession(name, caller);
  if (info.ok()) return RenderSession(*info, context.model, out);
  out->set_name(name);
}

absl::Status ForkSession(ServiceContext& context, const Caller& caller,
                         const v1::ForkSessionRequest& request, v1::ForkSessionResponse* response) {
  LT_ASSIGN_OR_RETURN(const std::string fork, context.ForkSession(request, caller));
  RenderChanged(context, caller, fork, response->mutable_session());
  return absl::OkStatus();
}

absl::Status RewindSession(ServiceContext& context, const Caller& caller,
                           const v1::RewindSessionRequest& request,
                           v1::RewindSessionResponse* response) {
  std::optional<double> resume_seconds;
  LT_RETURN_IF_ERROR(context.RewindSession(request, caller, &resume_seconds));
  if (resume_seconds.has_value()) response->set_resume_seconds(*resume_seconds);
  RenderChanged(context, caller, request.name(), response->mutable_session());
  return absl::OkStatus();
}

// What is told of the session then is looked up in its own turn, as the stage must not wait for it.
// Where too many wait for theirs its name is told: it is parked.
void ParkSession(
    ServiceContext& context, const Caller& caller, const v1::ParkSessionRequest& request,
    const std::function<void(const absl::StatusOr<v1::ParkSessionResponse>&)>& answer) {
  const auto describe = [&context, caller, name = request.name(), answer] {
    v1::ParkSessionResponse response;
    RenderChanged(context, caller, name, response.mutable_session());
    answer(response);
  };
  const absl::Status parked = context.ParkSession(
      request.name(), caller, [&context, describe, name = request.name(), answer] {
        if (context.store_calls.Run(/*bytes=*/0, describe)) return;
        v1::ParkSessionResponse response;
        response.mutable_session()->set_name(name);
        answer(response);
      });
  if (!parked.ok()) answer(parked);
}

absl::Status ListModels(ServiceContext& context, const Caller&,
                        const v1::ListModelsRequest& request, v1::ListModelsResponse* response) {
  LT_RETURN_IF_ERROR(ParsePage(request.page_size(), request.page_token()).status());
  // One model is one page.
  if (request.page_token().empty()) RenderModel(context.engine.model(), response->add_models());
  return absl::OkStatus();
}

absl::Status GetModel(ServiceContext& context, const Caller&, const v1::GetModelRequest& request,
                      v1::GetModelResponse* response) {
  LT_RETURN_IF_ERROR(CheckModelName("name", request.name(), context.model.name));
  RenderModel(context.engine.model(), response->mutable_model());
  return absl::OkStatus();
}

}  // namespace

LongtakeService::LongtakeService(ServiceContext& context) : context_(context) {
  AddUnary(RpcMethod::kCreateSession, Holds::kSpec, &CreateSession);
  AddUnary(RpcMethod::kEstimateSession, Holds::kSpec, &EstimateSession);
  AddUnary(RpcMethod::kGetSession, Holds::kName, &GetSession);
  AddUnary(RpcMethod::kListSessions, Holds::kPage, &ListSessions);
  AddUnary(RpcMethod::kDeleteSession, Holds::kName, &DeleteSession);
  AddUnary(RpcMethod::kForkSession, Holds::kName, &ForkSession);
  AddUnary(RpcMethod::kRewindSession, Holds::kName, &RewindSession);
  AddLateUnary<v1::ParkSessionRequest, v1::ParkSessionResponse>(RpcMethod::kParkSession,
                                                                Holds::kName, &ParkSession);
  AddUnary(RpcMethod::kListModels, Holds::kName, &ListModels);
  AddUnary(RpcMethod::kGetModel, Holds::kName, &GetModel);
  Add(RpcMethod::kStream,
      [this](grpc::CallbackServerContext& call) { return SessionStream::Start(context_, call); });
  LT_CHECK(names_.size() == kRpcMethodNames.size());
}

template <typename Request, typename Response>
void LongtakeService::AddUnary(RpcMethod method, Holds holds, Handler<Request, Response> handler) {
  AddLateUnary<Request, Response>(
      method, holds,
      [handler](ServiceContext& context, const Caller& caller, const Request& request,
                const Answer<Response>& answer) {
        Response response;
        const absl::Status status = handler(context, caller, request, &response);
        answer(status.ok() ? absl::StatusOr<Response>(std::move(response)) : status);
      });
}

template <typename Request, typename Response>
void LongtakeService::AddLateUnary(RpcMethod method, Holds holds,
                                   LateHandler<Request, Response> handler) {
  const auto work = [this, handler](const Caller& caller, grpc::ByteBuffer* bytes,
                                    const UnaryCall::Done& done) {
    Request request;
    if (!ParseMessage(bytes, &request)) return done(GarbledError(Request::descriptor()->name()));
    handler(context_, caller, request, [done](const absl::StatusOr<Response>& response) {
      done(response.ok() ? absl::StatusOr<grpc::ByteBuffer>(RenderMessage(*response))
                         : response.status());
    });
  };
  const bool spec = holds == Holds::kSpec;
  const UnaryCall::Method& added = unary_.emplace_back(
      UnaryCall::Method{.id = method,
                        .request_bytes_max = spec ? kRequestBytesMax : kNamingRequestBytesMax,
                        .computes = holds != Holds::kName,
                        .work = work});
  Add(method, [this, &added](grpc::CallbackServerContext& call) {
    return UnaryCall::Start(context_, added, call);
  });
}

template <typename Start>
void LongtakeService::Add(RpcMethod method, Start start) {
  using grpc::internal::CallbackBidiHandler;
  using grpc::internal::RpcServiceMethod;
  const auto index = static_cast<int>(names_.size());
  const std::string& name = names_.emplace_back(
      absl::StrCat("/", v1::LongtakeService::service_full_name(), "/", NameOf(method)));
  auto added =
      std::make_unique<RpcServiceMethod>(name.c_str(), RpcServiceMethod::BIDI_STREAMING, nullptr);
  auto handler = std::make_unique<CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>>(
      [start](grpc::CallbackServerContext* call) { return start(*call); });
  AddMethod(added.release());
  MarkMethodRawCallback(index, handler.release());
}

}  // namespace longtake
