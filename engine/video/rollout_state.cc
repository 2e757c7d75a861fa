// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/rollout_state.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

absl::Status Bad(const std::string& field, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat("rollout state: ", field, ": ", problem));
}

bool IsGiven(const RolloutSpec& spec, int64_t chunk) {
  return chunk * spec.chunk.frames < spec.start_latents;
}

// Given chunks may wait for their clean pass together, of others only the last one.
absl::Status CheckWritten(const RolloutSpec& spec, const RolloutState& state) {
  const int64_t last = state.chunk - 1;
  const bool last_is_given = IsGiven(spec, last);
  if (state.written < 0 || state.written > state.chunk ||
      (state.written < last && !last_is_given)) {
    return Bad("written", "out of range");
  }
  if (state.old_text && state.written == state.chunk) return Bad("old_text", "no clean pass waits");
  const bool waits = state.written == last && !last_is_given;
  if (waits ? !IsLatents(spec, state.unwritten, spec.chunk.frames)
            : state.unwritten.frames() != 0) {
    return Bad("unwritten", waits ? "latents of another size" : "latents nobody asks for");
  }
  return absl::OkStatus();
}

absl::Status CheckRecache(const RolloutSpec& spec, const RolloutState& state) {
  const bool remembers =
      spec.kind == RolloutKind::kChunks && spec.prompt_switch != PromptSwitch::kSwap;
  // The last chunk has no clean pass, though nobody waits for it.
  const bool done = spec.chunk_count != 0 && state.chunk == spec.chunk_count;
  const int64_t made = (done ? state.chunk - 1 : state.written) * spec.chunk.frames;
  const int64_t recent = remembers ? std::min(made, spec.key_plan.window_frames) : 0;
  if (std::ssize(state.recent) != recent) return Bad("recent", "not the window's latents");
  for (const Latents& frame : state.recent) {
    if (!IsLatents(spec, frame, 1)) return Bad("recent", "latents of another size");
  }
  if (state.recache && (!remembers || state.chunk == 0)) return Bad("recache", "of no window");
  const bool moves = remembers && spec.prompt_switch == PromptSwitch::kRecacheAndSink;
  const int64_t sink_max = moves ? std::max<int64_t>(0, made - spec.key_plan.window_frames) : 0;
  if (state.sink_start < 0 || state.sink_start > sink_max) return Bad("sink_start", "out of range");
  return absl::OkStatus();
}

absl::Status CheckInWork(const RolloutSpec& spec, const RolloutState& state) {
  const bool some = spec.kind == RolloutKind::kRolling && !IsGiven(spec, state.chunk);
  const int64_t left = (spec.chunk_count == 0 ? kChunksMax : spec.chunk_count) - state.chunk;
  if (std::ssize(state.in_work) > (some ? left : 0)) return Bad("in_work", "too many chunks");
  int64_t index = state.chunk;
  int64_t step_end = std::ssize(spec.levels);  // each is behind the one before it
  for (const ChunkInWork& chunk : state.in_work) {
    if (chunk.index != index++) return Bad("in_work", "chunks out of order");
    if (chunk.step < 0 || chunk.step >= step_end) return Bad("in_work", "step out of range");
    step_end = chunk.step;
    if (!IsLatents(spec, chunk.x, spec.chunk.frames)) return Bad("in_work", "another size");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsLatents(const RolloutSpec& spec, const Latents& latents, int64_t frames) {
  return latents.channels() == spec.channels && latents.grid() == spec.chunk.WithFrames(frames) &&
         std::ssize(latents.values()) == frames * spec.frame_values();
}

absl::Status CheckRolloutState(const RolloutSpec& spec, const RolloutState& state) {
  if (state.chunk < 0 || state.chunk > (spec.chunk_count == 0 ? kChunksMax : spec.chunk_count)) {
    return Bad("chunk", "out of range");
  }
  if (state.frames.size() != spec.branch_count()) return Bad("frames", "not one set per branch");
  LT_RETURN_IF_ERROR(CheckWritten(spec, state));
  LT_RETURN_IF_ERROR(CheckRecache(spec, state));
  LT_RETURN_IF_ERROR(CheckInWork(spec, state));
  if (!state.has_start && (spec.start_latents == 0 || state.chunk > 0)) {
    return Bad("has_start", "a chunk was made without it");
  }
  const bool start_left = state.has_start && state.written * spec.chunk.frames < spec.start_latents;
  if (start_left ? !IsLatents(spec, state.start, spec.start_latents) : state.start.frames() != 0) {
    return Bad("start", start_left ? "latents of another size" : "latents nobody asks for");
  }
  return absl::OkStatus();
}

}  // namespace longtake
