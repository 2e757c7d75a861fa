// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What all calls of a server share, and the one way a session is created, whichever call asks. Any
// thread. Owned by Server, which outlives every call.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
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
  CallQueue& calls;        // what computes
  CallQueue& store_calls;  // what may wait for the session store's disk
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
  // By "sessions/ID". Every session is everybody's yet, whoever calls. What needs the store may
  // wait for a disk, or is NeedsDisk for a caller that must not.
  absl::StatusOr<SessionInfo> DescribeSession(const std::string& name, const Caller& caller) const;
  absl::Status DeleteSession(const std::string& name, const Caller& caller) const;
  // -> the fork's name.
  absl::StatusOr<std::string> ForkSession(const v1::ForkSessionRequest& request,
                                          const Caller& caller) const;
  // resume_seconds is set when that is known, before anything is done.
  absl::Status RewindSession(const v1::RewindSessionRequest& request, const Caller& caller,
                             std::optional<double>* resume_seconds) const;
  // As Engine::Park.
  absl::Status ParkSession(const std::string& name, const Caller& caller,
                           std::function<void()> left) const;
  // To be read from this chunk on; as Engine::Wake.
  absl::StatusOr<std::shared_ptr<Session>> WakeSession(const std::string& name, int64_t next_chunk,
                                                       const std::optional<Told>& told,
                                                       const Caller& caller) const;
};

}  // namespace longtake
