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

bool IsDone(const RolloutSpec& spec, const RolloutState& state) {
  return spec.chunk_count != 0 && state.chunk == spec.chunk_count;
}

absl::Status CheckChunks(const RolloutSpec& spec, const std::string& field,
                         const std::deque<Latents>& chunks, int64_t count_max) {
  if (std::ssize(chunks) > count_max) return Bad(field, "latents nobody asks for");
  for (const Latents& chunk : chunks) {
    if (!IsLatents(spec, chunk, spec.chunk.frames)) return Bad(field, "latents of another size");
  }
  return absl::OkStatus();
}

absl::Status CheckUnwritten(const RolloutSpec& spec, const RolloutState& state) {
  if (state.old_text && state.unwritten.empty()) return Bad("old_text", "no clean pass waits");
  return CheckChunks(spec, "unwritten", state.unwritten, IsDone(spec, state) ? 0 : state.chunk);
}

absl::Status CheckStart(const RolloutSpec& spec, const RolloutState& state) {
  if (!state.has_start && (spec.start_latents == 0 || state.chunk > 0)) {
    return Bad("has_start", "a chunk was made without it");
  }
  const int64_t chunks = state.has_start ? spec.start_latents / spec.chunk.frames : 0;
  const int64_t left = std::max<int64_t>(0, chunks - state.chunk);
  LT_RETURN_IF_ERROR(CheckChunks(spec, "start", state.start, left));
  return std::ssize(state.start) == left ? absl::OkStatus() : Bad("start", "chunks are missing");
}

absl::Status CheckRecache(const RolloutSpec& spec, const RolloutState& state) {
  const bool remembers =
      spec.kind == RolloutKind::kChunks && spec.prompt_switch != PromptSwitch::kSwap;
  const int64_t made = state.written() * spec.chunk.frames;
  const int64_t recent =
      remembers && !IsDone(spec, state) ? std::min(made, spec.key_plan.window_frames) : 0;
  if (std::ssize(state.recent) != recent) return Bad("recent", "not the window's latents");
  for (const Latents& frame : state.recent) {
    if (!IsLatents(spec, frame, 1)) return Bad("recent", "latents of another size");
  }
  if (state.recache && (!remembers || state.chunk == 0 || IsDone(spec, state))) {
    return Bad("recache", "of no window");
  }
  const bool moves = remembers && spec.prompt_switch == PromptSwitch::kRecacheAndSink;
  const int64_t sink_max = moves ? std::max<int64_t>(0, made - spec.key_plan.window_frames) : 0;
  if (state.sink_start < 0 || state.sink_start > sink_max) return Bad("sink_start", "out of range");
  return absl::OkStatus();
}

absl::Status CheckInWork(const RolloutSpec& spec, const RolloutState& state) {
  const bool some = spec.kind == RolloutKind::kRolling && state.has_start && state.start.empty();
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
  LT_RETURN_IF_ERROR(CheckUnwritten(spec, state));
  LT_RETURN_IF_ERROR(CheckRecache(spec, state));
  LT_RETURN_IF_ERROR(CheckStart(spec, state));
  return CheckInWork(spec, state);
}

}  // namespace longtake
