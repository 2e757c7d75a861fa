// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// From plain values of the engine to messages for a client. Pure functions.
#pragma once

#include <string>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "engine/session/session_event.h"
#include "engine/session/session_info.h"
#include "longtake/v1/longtake.pb.h"

namespace longtake {

// What the bits of every session of this server depend on, and its name.
struct ModelIdentity {
  std::string name;  // without "models/"
  std::string digest;
  std::string numerics_profile;
};

void RenderSession(const SessionInfo& info, const ModelIdentity& model, v1::Session* out);
void RenderEstimate(const SessionEstimate& estimate, v1::SessionEstimate* out);
void RenderKeyPlan(const KeyPlanSpec& plan, v1::KeyPlan* out);
// Whether a control was accepted, and that it holds.
void RenderReceipt(uint64_t control_id, const absl::StatusOr<EventAccepted>& accepted,
                   v1::Receipt* out);
void RenderReceipt(const EventApplied& applied, v1::Receipt* out);
// 16 bytes, big-endian.
std::string DigestBytes(const Hash128& digest);
// frame / fps, rounded down to nanoseconds.
void RenderFrameTime(int64_t frame, int64_t fps, google::protobuf::Duration* out);

}  // namespace longtake
