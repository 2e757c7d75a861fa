// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/grpc_log.h"

#include <grpc/support/log.h>

#include <atomic>
#include <string>

#include "server/log.h"

namespace longtake {
namespace {

// Both are plain functions for a C interface, so what they share is process-wide.
std::atomic<bool> tell_errors{false};

void OnGrpcLog(gpr_log_func_args* line) {
  const bool tell = line->severity == GPR_LOG_SEVERITY_ERROR && tell_errors;
  Log(tell ? LogLevel::kWarning : LogLevel::kDebug, "grpc",
      {{"message", std::string(line->message)},
       {"file", std::string(line->file)},
       {"line", int64_t{line->line}}});
}

}  // namespace

void QuietGrpcLog() {
  tell_errors = false;
  gpr_set_log_function(OnGrpcLog);
}

void TellGrpcErrors() { tell_errors = true; }

}  // namespace longtake
