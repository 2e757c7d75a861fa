// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/rollout_shape.h"

#include <algorithm>

namespace longtake {
namespace {

constexpr int64_t kEndless = int64_t{1} << 40;  // chunks

// One chunk after the other, a forward a level.
RolloutShape ShapeOfChunks(const RolloutSpec& spec) {
  return {.denoise_forwards = std::ssize(spec.levels)};
}

// A forward moves all chunks in work, and the anchor stays beside the whole window.
RolloutShape ShapeOfRolling(const RolloutSpec& spec, int64_t chunks) {
  return {.chunks_in_work = std::min(chunks, std::ssize(spec.levels)),
          .denoise_forwards = 1,
          .anchor_frames = spec.key_plan.sink_frames};
}

}  // namespace

RolloutShape ShapeOf(const RolloutSpec& spec) {
  const int64_t chunks = spec.chunk_count == 0 ? kEndless : spec.chunk_count;
  const int64_t frames = spec.chunk.frames;
  RolloutShape shape =
      spec.kind == RolloutKind::kRolling ? ShapeOfRolling(spec, chunks) : ShapeOfChunks(spec);
  // Nothing attends to the last chunk, so its keys and values are never made.
  const int64_t made = (chunks - 1) * frames;
  shape.frames_held = std::min(made, FramesHeldMax(spec.key_plan, frames) + shape.anchor_frames);
  shape.frames_read = std::min(shape.frames_held, spec.key_plan.window_frames - frames);
  const int64_t rows = spec.kv_layout.rows;
  const auto branches = static_cast<int64_t>(spec.branch_count());
  shape.denoise_tokens = branches * shape.chunks_in_work * frames * rows;
  shape.tokens_max = shape.denoise_tokens;
  if (spec.prompt_switch != PromptSwitch::kSwap) {  // the first branch's window is made again
    const int64_t recached = std::min(spec.key_plan.window_frames, made) * rows;
    shape.tokens_max = std::max(shape.tokens_max, recached);
  }
  return shape;
}

}  // namespace longtake
