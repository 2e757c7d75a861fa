// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client may ask of a running session, and what a session gives back: plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/status_macros.h"
#include "engine/session/media_chunk.h"

namespace longtake {

enum class EventKind { kPrompt, kPause, kResume, kEnd };

struct SessionEvent {
  EventKind kind = EventKind::kPrompt;
  std::string prompt;  // for kPrompt
};

// The second phase of a receipt: from this chunk on the event holds.
struct EventApplied {
  uint64_t sequence = 0;
  int64_t chunk = 0;
};

// The last output of a session: OK when it ended, otherwise why it failed.
struct SessionEnd {
  absl::Status status;
};

using SessionOutput = std::variant<std::shared_ptr<const MediaChunk>, EventApplied, SessionEnd>;

}  // namespace longtake
