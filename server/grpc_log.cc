// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/grpc_log.h"

#include <grpc/support/log.h>

#include <atomic>
#include <string>
#include <string_view>

#include "server/log.h"

namespace longtake {
namespace {

// Both are plain functions for a C interface, so what they share is process-wide.
std::atomic<bool> tell_errors{false};

constexpr int64_t kLastLineNanos = 1'000'000'000;

// gRPC calls this with locks of its own held. That is harmless, because Log never waits.
void OnGrpcLog(gpr_log_func_args* line) {
  const bool aborts = std::string_view(line->message).starts_with("ASSERTION FAILED");
  const bool tell = line->severity == GPR_LOG_SEVERITY_ERROR && tell_errors;
  Log(aborts || tell ? LogLevel::kWarning : LogLevel::kDebug, "grpc",
      {{"message", std::string(line->message)},
       {"file", std::string(line->file)},
       {"line", int64_t{line->line}}});
  // The process ends with this line, which is still in the queue.
  if (aborts) FlushLog(kLastLineNanos);
}

}  // namespace

void QuietGrpcLog() {
  tell_errors = false;
  gpr_set_log_function(OnGrpcLog);
}

void TellGrpcErrors() { tell_errors = true; }

}  // namespace longtake
