// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/rollout_shape.h"

#include <algorithm>

namespace longtake {
namespace {

// One chunk after the other, a forward a level.
RolloutShape ShapeOfChunks(const RolloutSpec& spec) {
  return {.denoise_forwards = std::ssize(spec.levels), .can_replay = true};
}

// A forward moves all chunks in work, and the anchor stays beside the whole window.
RolloutShape ShapeOfRolling(const RolloutSpec& spec, int64_t chunks) {
  return {.chunks_in_work = std::min(chunks, std::ssize(spec.levels)),
          .denoise_forwards = 1,
          .anchor_frames = spec.key_plan.sink_frames};
}

// A forward of so many frames, in every branch.
SweepLoad ForwardOf(const RolloutSpec& spec, int64_t frames, int64_t context, bool kv_in_file) {
  const int64_t rows = spec.kv_layout.rows;
  SweepLoad load;
  for (size_t branch = 0; branch < spec.branch_count(); ++branch) {
    load.Add(SweepLoad::Forward(frames * rows, context * rows));
    if (!kv_in_file) continue;
    load.kv_layer_bytes += static_cast<uint64_t>(context) * spec.kv_layout.file_layer_bytes();
  }
  return load;
}

// Of the clean passes of chunks from first on, how many a sweep has room for.
int64_t CleanPassesMax(const RolloutSpec& spec, int64_t first, int64_t spare_frames,
                       int64_t rows_max) {
  const int64_t frames = spec.chunk.frames;
  const int64_t rows = static_cast<int64_t>(spec.branch_count()) * frames * spec.kv_layout.rows;
  const int64_t held_max = ShapeOf(spec).frames_held;
  const int64_t held = std::min(first * frames, held_max - frames);
  return std::max<int64_t>(1, std::min(rows_max / rows, (held_max + spare_frames - held) / frames));
}

// The forward that makes the window's K/V again before this chunk, in the first branch.
SweepLoad RecacheOf(const RolloutSpec& spec, int64_t chunk, bool kv_in_file) {
  const bool keep_sink = spec.prompt_switch == PromptSwitch::kRecache;
  const RecachePlan recache = PlanRecache(spec.key_plan, chunk * spec.chunk.frames, keep_sink);
  RolloutSpec prompt_alone = spec;
  prompt_alone.guidance = 1.0;
  return ForwardOf(prompt_alone, std::ssize(recache.plan.query_index),
                   std::ssize(recache.plan.keys), kv_in_file);
}

}  // namespace

RolloutShape ShapeOf(const RolloutSpec& spec) {
  const int64_t chunks = spec.chunk_count == 0 ? kChunksMax : spec.chunk_count;
  const int64_t frames = spec.chunk.frames;
  RolloutShape shape =
      spec.kind == RolloutKind::kRolling ? ShapeOfRolling(spec, chunks) : ShapeOfChunks(spec);
  // Nothing attends to the last chunk, so its keys and values are never made.
  const int64_t made = (chunks - 1) * frames;
  shape.frames_held = std::min(made, FramesHeldMax(spec.key_plan, frames) + shape.anchor_frames);
  shape.frames_read = std::min(shape.frames_held, spec.key_plan.window_frames - frames);
  const int64_t rows = spec.kv_layout.rows;
  const auto branches = static_cast<int64_t>(spec.branch_count());
  shape.tokens_max = branches * shape.chunks_in_work * frames * rows;
  if (spec.prompt_switch != PromptSwitch::kSwap) {  // the first branch's window is made again
    const int64_t recached = std::min(spec.key_plan.window_frames, made) * rows;
    shape.tokens_max = std::max(shape.tokens_max, recached);
  }
  return shape;
}

SweepLoad DenoisingSweep(const RolloutSpec& spec, bool kv_in_file) {
  const RolloutShape shape = ShapeOf(spec);
  const int64_t frames = shape.chunks_in_work * spec.chunk.frames;
  const int64_t room = std::max<int64_t>(0, spec.key_plan.window_frames - frames);
  return ForwardOf(spec, frames, std::min(shape.frames_read, room), kv_in_file);
}

std::vector<SweepLoad> SweepsOfChunk(const RolloutSpec& spec, int64_t rows_max, bool kv_in_file) {
  const RolloutShape shape = ShapeOf(spec);
  const SweepLoad denoising = DenoisingSweep(spec, kv_in_file);
  std::vector<SweepLoad> sweeps(static_cast<size_t>(shape.denoise_forwards), denoising);
  if (shape.frames_held == 0) return sweeps;  // the only chunk
  const SweepLoad clean = ForwardOf(spec, spec.chunk.frames, shape.frames_read, kv_in_file);
  if (!kv_in_file && clean.tokens + denoising.tokens <= rows_max) {
    sweeps.front().Add(clean);
  } else {
    sweeps.push_back(clean);
  }
  return sweeps;
}

std::vector<SweepLoad> SweepsOfReplay(const RolloutSpec& spec, const ReplaySpan& span,
                                      int64_t rows_max, bool kv_in_file) {
  std::vector<SweepLoad> sweeps;
  if (spec.chunk_count != 0 && span.end == spec.chunk_count) return sweeps;
  if (!ShapeOf(spec).can_replay) {
    const std::vector<SweepLoad> chunk = SweepsOfChunk(spec, rows_max, kv_in_file);
    for (int64_t i = span.first; i < span.end; ++i) {
      sweeps.insert(sweeps.end(), chunk.begin(), chunk.end());
    }
    return sweeps;
  }
  const int64_t frames = spec.chunk.frames;
  int64_t next = span.first;
  const auto write_until = [&](int64_t end) {
    while (next < end) {
      const int64_t most = kv_in_file ? 1 : CleanPassesMax(spec, next, span.spare_frames, rows_max);
      SweepLoad& sweep = sweeps.emplace_back();
      for (const int64_t last = std::min(end, next + most); next < last; ++next) {
        const int64_t context = std::min(next * frames, spec.key_plan.window_frames - frames);
        sweep.Add(ForwardOf(spec, frames, context, kv_in_file));
      }
    }
  };
  for (size_t i = 0; i < span.changes.size(); ++i) {
    write_until(span.changes[i]);  // under the text before
    const bool again = i + 1 < span.changes.size() && span.changes[i + 1] == span.changes[i];
    if (spec.prompt_switch == PromptSwitch::kSwap || span.changes[i] == 0 || again) continue;
    sweeps.push_back(RecacheOf(spec, span.changes[i], kv_in_file));
  }
  write_until(span.end);
  return sweeps;
}

// Where several chunks are in work one more joins each forward.
std::vector<SweepLoad> SweepsOfFirstChunk(const RolloutSpec& spec) {
  std::vector<SweepLoad> sweeps;
  if (spec.start_latents > 0) return sweeps;
  const int64_t chunks_max = ShapeOf(spec).chunks_in_work;
  for (int64_t i = 1; i <= std::ssize(spec.levels); ++i) {
    sweeps.push_back(ForwardOf(spec, std::min(i, chunks_max) * spec.chunk.frames, 0, false));
  }
  return sweeps;
}

}  // namespace longtake
