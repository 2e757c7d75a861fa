// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session holds beside K/V, by name: computed before it is admitted, reserved in parts that
// follow the objects which hold the memory, printed by `longtake estimate --explain`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/memory_use.h"
#include "base/status_macros.h"
#include "engine/session/resolved_spec.h"
#include "engine/video/rollout.h"
#include "engine/video/video_model.h"

namespace longtake {

struct SessionMemory {
  // Of the session, until its last reader is gone.
  MemoryUse outbox;
  MemoryUse sending;  // the chunk that is being sent is no longer in the outbox
  // Of the frames it begins with, until they are latents.
  MemoryUse start_pixels;
  MemoryUse encoder_cache;
  // Of its rollout, until the take ends.
  // Text keys and values of each branch and of the prompt that is shown next; later prompts.
  MemoryUse texts;
  MemoryUse latents;  // in work, and those a re-cache needs again
  MemoryUse start_latents;
  MemoryUse rotary;  // tables of a sweep and of the one before it
  // Of its decoder, until the last chunk is decoded.
  MemoryUse decoder_cache;
  MemoryUse decoding;  // the chunk in work there, and latents of those that wait for it
  // What decoder or encoder work in. Sessions share it, so only the largest of all counts.
  MemoryUse decode_scratch;

  MemoryUse start() const { return start_pixels + encoder_cache; }
  MemoryUse rollout() const { return texts + latents + start_latents + rotary; }
  MemoryUse decoder() const { return decoder_cache + decoding; }
  MemoryUse held() const { return outbox + sending + start() + rollout() + decoder(); }
  MemoryUse total() const { return held() + decode_scratch; }
  // The same where the device has no memory of its own.
  SessionMemory OfHost() const;
  // For people, in the order above: {"outbox", use}.
  std::vector<std::pair<std::string, MemoryUse>> ByName() const;
};

// INVALID_ARGUMENT when a size overflows.
absl::StatusOr<SessionMemory> MeasureSession(const ResolvedSpec& spec, const RolloutSpec& rollout,
                                             const VideoModel& model, uint64_t outbox_bytes_max);

}  // namespace longtake
