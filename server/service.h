// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake.v1.LongtakeService over gRPC's callback API. Every unary method answers at once on
// gRPC's thread: the engine never makes its callers wait for a sweep. Stream is session_stream.h.
#pragma once

#include <functional>

#include "longtake/v1/longtake.grpc.pb.h"
#include "server/service_context.h"

namespace longtake {

class LongtakeService final : public v1::LongtakeService::CallbackService {
 public:
  // The context must outlive every call.
  explicit LongtakeService(ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* CreateSession(grpc::CallbackServerContext* call,
                                          const v1::CreateSessionRequest* request,
                                          v1::CreateSessionResponse* response) override;
  grpc::ServerUnaryReactor* EstimateSession(grpc::CallbackServerContext* call,
                                            const v1::EstimateSessionRequest* request,
                                            v1::EstimateSessionResponse* response) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* call,
                                       const v1::GetSessionRequest* request,
                                       v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* call,
                                         const v1::ListSessionsRequest* request,
                                         v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSession(grpc::CallbackServerContext* call,
                                          const v1::DeleteSessionRequest* request,
                                          v1::DeleteSessionResponse* response) override;
  grpc::ServerBidiReactor<v1::StreamRequest, v1::StreamResponse>* Stream(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* call,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* call,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;

 private:
  // Counts the call and ends it.
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* call, const char* method,
                                   const absl::Status& status);
  // The same for work that computes, on the worker pool: gRPC's threads are everybody's.
  grpc::ServerUnaryReactor* AnswerLater(grpc::CallbackServerContext* call, const char* method,
                                        std::function<absl::Status()> work);
  void Finish(grpc::ServerUnaryReactor* reactor, const char* method, const absl::Status& status);

  ServiceContext& context_;
};

}  // namespace longtake
