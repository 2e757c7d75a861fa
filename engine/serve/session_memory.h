// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session holds beside K/V, by name: computed before it is admitted, reserved in parts that
// follow the objects which hold the memory, printed by `longtake estimate --explain`. Bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/session/resolved_spec.h"
#include "engine/video/rollout.h"
#include "engine/video/video_model.h"

namespace longtake {

struct SessionMemory {
  // Of the session, until its last reader is gone.
  uint64_t outbox = 0;
  uint64_t sending = 0;  // the chunk that is being sent is no longer in the outbox
  // Of the frames it begins with, until they are latents.
  uint64_t start_pixels = 0;
  uint64_t encoder_cache = 0;
  // Of its rollout, until the take ends.
  // Text keys and values of each branch and of the prompt that is shown next; later prompts.
  uint64_t texts = 0;
  uint64_t latents = 0;  // in work, and those a re-cache needs again
  uint64_t start_latents = 0;
  uint64_t rotary = 0;  // tables of a sweep and of the one before it
  // Of its decoder, until the last chunk is decoded.
  uint64_t decoder_cache = 0;
  uint64_t decoding = 0;  // the chunk in work there, and latents of those that wait for it
  // What decoder or encoder work in. Sessions share it, so only the largest of all counts.
  uint64_t decode_scratch = 0;

  uint64_t start() const { return start_pixels + encoder_cache; }
  uint64_t rollout() const { return texts + latents + start_latents + rotary; }
  uint64_t decoder() const { return decoder_cache + decoding; }
  uint64_t held() const { return outbox + sending + start() + rollout() + decoder(); }
  uint64_t total() const { return held() + decode_scratch; }
  // For people, in the order above: {"outbox", bytes}.
  std::vector<std::pair<std::string, uint64_t>> ByName() const;
};

// INVALID_ARGUMENT when a size overflows.
absl::StatusOr<SessionMemory> MeasureSession(const ResolvedSpec& spec, const RolloutSpec& rollout,
                                             const VideoModel& model, uint64_t outbox_bytes_max);

}  // namespace longtake
