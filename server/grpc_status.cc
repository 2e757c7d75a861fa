// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/grpc_status.h"

#include "server/errors.h"

namespace longtake {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status rendered = RenderError(status);
  return grpc::Status(static_cast<grpc::StatusCode>(rendered.code()), rendered.message(),
                      rendered.SerializeAsString());
}

}  // namespace longtake
