// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Plain values that cross between the server and the engine: what a session is asked to be, what a
// client may ask of it later, and what it gives back. Validated once, in the server and in
// Engine::CreateSession; nothing re-checks later.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "engine/policy/key_plan.h"
#include "engine/policy/prompt_switch.h"

namespace longtake {

// What a session may ask for at all; each is a row of docs/limits.md. What the model and the
// machine allow comes on top.
inline constexpr int64_t kPromptBytesMax = 16 << 10;
inline constexpr int64_t kStepsCountMax = 1000;
inline constexpr int64_t kFrameCountMax = int64_t{1} << 40;
inline constexpr int64_t kSidePixelsMin = 16;
inline constexpr int64_t kSidePixelsMax = 8192;
inline constexpr int64_t kSidePixelsStep = 16;
inline constexpr int64_t kFpsMax = 240;
inline constexpr int64_t kGuidanceMax = 50;
inline constexpr int64_t kStartFramesMax = 321;  // 20 s at 16 frames a second
inline constexpr int64_t kNumericsProfileBytesMax = 64;

// What the client wants to be sent. The engine keeps it with the session and does nothing with it.
enum class MediaKind { kFmp4, kRgb24 };

// Who makes pixels of latents: the VAE, or a small model that was trained to do the same.
enum class DecoderKind { kFull, kTiny };

struct SessionSpec {
  std::string prompt;
  std::string negative_prompt;     // used only with guidance other than 1
  std::optional<double> guidance;  // empty: the recipe's
  uint64_t seed = 0;
  int64_t width = 0;  // pixels, multiples of 16; 0: the recipe's
  int64_t height = 0;
  int64_t fps = 0;            // frames per second of the media clock; 0: the recipe's
  int64_t frame_count = 0;    // pixel frames; 0: endless
  std::vector<double> steps;  // empty: the recipe's
  int64_t step_count = 0;     // of a sampler that spaces its steps itself; 0: the recipe's
  std::optional<KeyPlanSpec> key_plan;
  std::optional<PromptSwitch> prompt_switch;
  std::optional<bool> tiled_decode;  // empty: the recipe's
  std::optional<DecoderKind> decoder;
  MediaKind media_kind = MediaKind::kFmp4;
  int64_t ttl_nanos = 0;     // life without a client; 0: ends when the client goes
  int64_t start_frames = 0;  // pixel frames the client brings, with which the take begins
  // Empty: the model's. Another one is refused, or with allow_other_numerics kept as a mark.
  std::string numerics_profile;
  bool allow_other_numerics = false;
};

enum class SessionState {
  kStarting,  // its prompt is being encoded, or the frames it begins with are awaited
  kRunning,
  kPaused,   // by its client
  kBlocked,  // its outbox is full: the reader is slow or away
  kEnded,    // all frames made, or ended by its client; the outbox may still hold some
  kFailed,
};

struct SessionInfo {
  std::string id;
  SessionSpec spec;  // with the defaults filled in
  SessionState state = SessionState::kStarting;
  absl::Status failure;
  int64_t create_wall_nanos = 0;
  int64_t chunk_count = 0;        // decoded so far
  int64_t frame_count = 0;        // decoded so far
  int64_t oldest_chunk_held = 0;  // smallest index a client can attach at
  int64_t next_chunk = 0;         // the first not yet sent
  int64_t expire_wall_nanos = 0;  // 0 while a client is attached
  uint64_t outbox_bytes = 0;
  uint64_t start_bytes = 0;  // of the start frames, arrived
  bool attached = false;
};

// What a session costs, known before it is made.
struct SessionEstimate {
  double seconds_per_chunk = 0.0;  // alone on the machine
  double seconds_to_first_frame = 0.0;
  double realtime_factor = 0.0;  // seconds of video per second
  uint64_t memory_bytes = 0;     // held for the session, K/V too unless it is in the file
  uint64_t kv_bytes = 0;         // in memory or in the file
  bool kv_in_file = false;       // K/V would come from the file, at most so much with each sweep
  uint64_t kv_file_bytes_per_sweep = 0;
  double kv_file_slowdown = 0.0;  // of the sweep, predicted; 0: not known
  bool fits_now = false;          // whether CreateSession would admit it at this moment
  std::string refusal;            // why not, when not
};

// One decoded chunk, ready to be encoded or sent raw. Immutable; held by the outbox and by the
// stream that is sending it.
struct MediaChunk {
  int64_t index = 0;
  int64_t first_frame = 0;  // pixel frame number; pts = first_frame / fps
  int64_t frame_count = 0;
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;  // [frame_count, height, width, 3]
  Hash128 digest;            // XXH3-128 of rgb
  // XXH3-128 of 32 bytes: the previous chunk's chain (zeros at first), then digest, both
  // big-endian.
  Hash128 chain;
};

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
