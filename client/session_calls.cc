// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/session_calls.h"

#include <grpc/support/time.h>

namespace longtake {

void SetTimeout(double seconds, grpc::ClientContext* context) {
  context->set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(static_cast<int64_t>(seconds * 1e3), GPR_TIMESPAN)));
}

absl::Status DeleteSession(v1::LongtakeService::Stub& stub, const std::string& name,
                           double timeout_seconds) {
  grpc::ClientContext context;
  SetTimeout(timeout_seconds, &context);
  v1::DeleteSessionRequest request;
  request.set_name(name);
  v1::DeleteSessionResponse response;
  return FromGrpc(stub.DeleteSession(&context, request, &response));
}

absl::Status ForkSession(v1::LongtakeService::Stub& stub, const v1::ForkSessionRequest& request,
                         double timeout_seconds) {
  grpc::ClientContext context;
  SetTimeout(timeout_seconds, &context);
  v1::ForkSessionResponse response;
  return FromGrpc(stub.ForkSession(&context, request, &response));
}

}  // namespace longtake
