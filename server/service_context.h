// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What all calls of a server share, and the one way a session is created, whichever call asks. Any
// thread. Owned by Server, which outlives every call.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/worker_pool.h"
#include "engine/serve/engine.h"
#include "server/call_queue.h"
#include "server/connection_uses.h"
#include "server/convert.h"
#include "server/media_formats.h"
#include "server/metrics.h"
#include "server/render.h"

namespace longtake {

struct ServiceContext {
  Engine& engine;
  WorkerPool& workers;
  CallQueue& calls;
  ServerMetrics& metrics;
  const ConnectionUses& connections;
  MediaFormats& formats;
  Clock& clock;
  SpecDefaults defaults;
  ModelIdentity model;
  std::atomic<bool> draining{false};
  std::atomic<int> streams{0};  // Stream calls open now

  // A specification completed and checked against limits, model and media. Errors begin "spec.".
  absl::StatusOr<ResolvedSpec> ResolveSpec(const v1::SessionSpec& spec) const;
  // Creates and counts, or finds the session that the same request created. Tokenises, so not on a
  // thread of gRPC.
  absl::StatusOr<CreatedSession> CreateSession(const v1::CreateSessionRequest& request,
                                               const Caller& caller);
  // By "sessions/ID". Every session is everybody's yet, whoever calls.
  absl::StatusOr<std::shared_ptr<Session>> FindSession(const std::string& name,
                                                       const Caller& caller) const;
};

}  // namespace longtake
