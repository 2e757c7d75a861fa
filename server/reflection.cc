// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/reflection.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.pb.h"

namespace longtake {

absl::Status LoadReflection() {
  // Reflection describes what is linked, and the linker takes only what is mentioned: the messages
  // of gRPC's own health service and those that an error carries.
  grpc::health::v1::HealthCheckRequest::descriptor();
  google::rpc::Status::descriptor();
  google::rpc::ErrorInfo::descriptor();
  if (dlopen(LONGTAKE_REFLECTION_LIBRARY, RTLD_NOW | RTLD_LOCAL) != nullptr)
    return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("reflection: ", dlerror()));
}

}  // namespace longtake
