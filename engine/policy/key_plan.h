// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Key plans: which stored frames a chunk attends to and at which RoPE index each is seen. Pure
// functions; every causal variant of the family is one (spec 3.4, 3.6). Windows count the current
// chunk.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

enum class KeyPlanKind {
  kGlobal,       // everything so far; ends when the window is full
  kWindow,       // the first sink_frames and the latest; indices are absolute
  kSlotWindow,   // as kWindow, but keys are seen at their position in the window, so that the
                 // distance to the sink stays bounded for hours (LongLive "infinity")
  kRollingSink,  // the history of the first window scrolls back and forth (spec 3.6)
};

inline constexpr int64_t kWindowFramesMax = 4096;

struct KeyPlanSpec {
  KeyPlanKind kind = KeyPlanKind::kWindow;
  int64_t window_frames = 21;
  int64_t sink_frames = 0;
  // Where the sink begins: 0 until a new prompt makes later frames the sink (spec 3.8).
  int64_t sink_start = 0;
  friend bool operator==(const KeyPlanSpec&, const KeyPlanSpec&) = default;
};

struct PlannedKey {
  int64_t frame = 0;       // latent frame whose K/V is read
  int64_t rope_index = 0;  // temporal index its keys are rotated to
  friend bool operator==(const PlannedKey&, const PlannedKey&) = default;
};

struct KeyPlan {
  std::vector<PlannedKey> keys;      // the context, in order
  std::vector<int64_t> query_index;  // of the chunk's own frames
};

// "global", "window", "slot_window", "rolling_sink".
absl::StatusOr<KeyPlanKind> ParseKeyPlanKind(std::string_view name);
std::string_view KeyPlanKindName(KeyPlanKind kind);
// kWindow and kSlotWindow.
bool HasSink(KeyPlanKind kind);

// InvalidArgument names the field: window_frames, sink_frames.
absl::Status ValidateKeyPlan(const KeyPlanSpec& spec, int64_t chunk_frames);

// The plan of the chunk that starts at latent frame start. For kGlobal the caller keeps
// start + chunk_frames <= window_frames.
KeyPlan PlanKeys(const KeyPlanSpec& spec, int64_t start, int64_t chunk_frames);

// The forward that makes the window's keys and values again under a new prompt (spec 3.8), before
// the chunk that starts at latent frame start: frames first..start-1 at once, without a causal
// mask.
struct RecachePlan {
  int64_t first = 0;
  KeyPlan plan;                // the old sink where it stays, and the indices of those frames
  int64_t sink_start_new = 0;  // from now on
};
// keep_sink: once the window is full, its sink stays as it is. spec has a sink, start > 0.
RecachePlan PlanRecache(const KeyPlanSpec& spec, int64_t start, bool keep_sink);

// Whether any chunk starting at next_start or later reads this frame.
bool FrameNeeded(const KeyPlanSpec& spec, int64_t frame, int64_t next_start, int64_t chunk_frames);

// The most frames held at once, the chunk being written included.
int64_t FramesHeldMax(const KeyPlanSpec& spec, int64_t chunk_frames);

// Latent frames a session may have; 0 is no limit.
int64_t FrameLimit(const KeyPlanSpec& spec);

}  // namespace longtake
