// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/delete_session.h"

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>

namespace longtake {

absl::Status DeleteSession(v1::LongtakeService::Stub& stub, const std::string& name,
                           double timeout_seconds) {
  grpc::ClientContext context;
  const auto timeout_millis = static_cast<int64_t>(timeout_seconds * 1e3);
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_millis(timeout_millis, GPR_TIMESPAN)));
  v1::DeleteSessionRequest request;
  request.set_name(name);
  v1::DeleteSessionResponse response;
  return FromGrpc(stub.DeleteSession(&context, request, &response));
}

}  // namespace longtake
