// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// From what a client sent to plain values of the engine: the only place where client bytes are
// checked without the model; Engine::Resolve then checks what depends on the model. Pure functions.
//
// Errors are INVALID_ARGUMENT and begin with the field, "session_id: ...", or NOT_FOUND for a model
// this server does not run. AIP 122 (names), 158 (pages).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "engine/session/session_event.h"
#include "engine/session/session_spec.h"
#include "engine/session/told.h"
#include "engine/store/session_store.h"
#include "longtake/v1/longtake.pb.h"

namespace longtake {

// What a specification is completed from.
struct SpecDefaults {
  std::string model;  // without "models/"
  int64_t fps = 16;   // for a length given as a duration
  int64_t ttl_nanos = 0;
  int64_t ttl_nanos_max = 0;
};

absl::StatusOr<SessionSpec> ParseSessionSpec(const v1::SessionSpec& spec,
                                             const SpecDefaults& defaults);

// The id of a new session; empty is fine and lets the server choose.
absl::StatusOr<std::string> ParseNewSessionId(const std::string& id);
// "sessions/ID" -> "ID".
absl::StatusOr<std::string> ParseSessionName(const std::string& name);
// "models/NAME"; NOT_FOUND unless it is the model. field is what INVALID_ARGUMENT begins with.
absl::Status CheckModelName(const std::string& field, const std::string& name,
                            const std::string& model);

// The first chunk wanted, -1 when the client leaves it open.
absl::StatusOr<int64_t> ParseNextChunk(const v1::Attach& attach);
// What the client was told; nothing when it does not say.
absl::StatusOr<std::optional<Told>> ParseTold(const v1::Attach& attach);
absl::StatusOr<SessionEvent> ParseControl(const v1::Control& control);

// A page starts after the session made at this time with this id.
struct PageStart {
  int64_t create_wall_nanos = -1;
  std::string id;
};
struct Page {
  size_t size = 0;
  PageStart start;
};
absl::StatusOr<Page> ParsePage(int32_t page_size, const std::string& page_token);
std::string PageToken(const PageStart& start);

absl::StatusOr<ForkRequest> ParseFork(const v1::ForkSessionRequest& request);

}  // namespace longtake
