// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake.v1.LongtakeService over gRPC's callback API, method by method. A unary method answers at
// once, since the engine never makes its callers wait for a sweep, but for ParkSession, which has
// an answer when the session is on disk; unary_call.h runs it. Stream is session_stream.h.
//
// All methods are registered as streams of bytes: the calls parse their messages themselves.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <deque>
#include <functional>
#include <string>

#include "server/service_context.h"
#include "server/unary_call.h"

namespace longtake {

class LongtakeService final : public grpc::Service {
 public:
  // The context must outlive every call.
  explicit LongtakeService(ServiceContext& context);

 private:
  template <typename Request, typename Response>
  using Handler = absl::Status (*)(ServiceContext& context, const Caller& caller,
                                   const Request& request, Response* response);
  // What a request holds: a name, a page of names, which takes work where they are many, or a whole
  // specification, which takes work.
  enum class Holds { kName, kPage, kSpec };

  // One that answers later, once, on any thread.
  template <typename Response>
  using Answer = std::function<void(const absl::StatusOr<Response>& response)>;
  template <typename Request, typename Response>
  using LateHandler = std::function<void(ServiceContext& context, const Caller& caller,
                                         const Request& request, const Answer<Response>& answer)>;

  template <typename Request, typename Response>
  void AddUnary(RpcMethod method, Holds holds, Handler<Request, Response> handler);
  template <typename Request, typename Response>
  void AddLateUnary(RpcMethod method, Holds holds, LateHandler<Request, Response> handler);
  template <typename Start>
  void Add(RpcMethod method, Start start);

  ServiceContext& context_;
  std::deque<UnaryCall::Method> unary_;
  std::deque<std::string> names_;  // gRPC keeps pointers to them
};

}  // namespace longtake
