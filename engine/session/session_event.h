// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client may ask of a running session, and what a session gives back: plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status_macros.h"
#include "engine/session/media_chunk.h"

namespace longtake {

enum class EventKind { kPrompt, kPause, kResume, kEnd };

struct SessionEvent {
  EventKind kind = EventKind::kPrompt;
  std::string prompt = {};  // for kPrompt
  // The pixel frame from which on it holds: at the first chunk that begins there or later, at the
  // next one when that has passed. Empty: at the next chunk.
  std::optional<int64_t> frame = {};
  // The client's own number, by which a repeated event is known; 0: it has none.
  uint64_t control_id = 0;
  friend bool operator==(const SessionEvent&, const SessionEvent&) = default;
};

// An event with the number its receipts carry.
struct AcceptedEvent {
  uint64_t sequence = 0;
  SessionEvent event;
  std::vector<int32_t> prompt_ids;  // for kPrompt, tokenised when it came
  friend bool operator==(const AcceptedEvent&, const AcceptedEvent&) = default;
};

// The first phase of a receipt: the event has its number. For an event that was sent again it is
// the number it had; applied_chunk is set when it has been applied already.
struct EventAccepted {
  uint64_t sequence = 0;
  std::optional<int64_t> applied_chunk = {};
  bool durable = false;  // it will survive a crash
  friend bool operator==(const EventAccepted&, const EventAccepted&) = default;
};

// The second phase of a receipt: from this chunk on the event holds.
struct EventApplied {
  uint64_t sequence = 0;
  int64_t chunk = 0;
  uint64_t control_id = 0;
  friend bool operator==(const EventApplied&, const EventApplied&) = default;
};

// The last output of a session: OK when it ended, otherwise why it failed.
struct SessionEnd {
  absl::Status status;
};

using SessionOutput = std::variant<std::shared_ptr<const MediaChunk>, EventApplied, SessionEnd>;

}  // namespace longtake
