// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/resume_cost.h"

#include <algorithm>
#include <cmath>

#include "engine/kv/kv_image.h"
#include "engine/model/vae/latent_grid.h"

namespace longtake {

std::optional<SweepTime> PredictReplay(const RolloutSpec& spec, const ReplaySpan& span,
                                       int64_t rows_max, bool kv_in_file,
                                       const SweepCostModel& costs) {
  return costs.PredictAll(SweepsOfReplay(spec, span, rows_max, kv_in_file));
}

namespace {

constexpr double kHourSeconds = 3600;

// Chunks between two snapshots, at least, at this pace: together they must not write more than the
// hour's bytes. 0: each may have one; nullopt: there is none.
std::optional<double> ChunksBetween(const RolloutSpec& spec, double seconds_per_chunk,
                                    uint64_t bytes_per_hour) {
  const RolloutShape shape = ShapeOf(spec);
  const auto frame_bytes =
      static_cast<double>(KvImageBytes(spec.kv_layout)) * static_cast<double>(spec.branch_count());
  const auto bytes_max = static_cast<double>(bytes_per_hour);
  const double all = frame_bytes * static_cast<double>(shape.frames_held);
  if (all > bytes_max) return std::nullopt;  // the first has to write all
  const double chunks_per_hour = kHourSeconds / seconds_per_chunk;
  // However often: what a chunk adds is written once.
  const double added = frame_bytes * static_cast<double>(spec.chunk.frames);
  if (added * chunks_per_hour <= bytes_max) return 0;
  return all * chunks_per_hour / bytes_max;
}

}  // namespace

std::optional<double> PredictLongestReplay(const RolloutSpec& spec, double seconds_per_chunk,
                                           const SnapshotLimits& limits, int64_t rows_max,
                                           bool kv_in_file, const SweepCostModel& costs) {
  const int64_t full = spec.key_plan.window_frames / spec.chunk.frames + 1;
  const auto chunk =
      PredictReplay(spec, {.first = full, .end = full + 1}, rows_max, kv_in_file, costs);
  if (!chunk.has_value()) return std::nullopt;
  const double longest = spec.chunk_count == 0 ? kHourSeconds / seconds_per_chunk
                                               : static_cast<double>(spec.chunk_count - 1);
  const std::optional<double> between =
      ChunksBetween(spec, seconds_per_chunk, limits.bytes_per_hour);
  if (!between.has_value()) return longest * chunk->seconds;
  // One is due with the first chunk beyond the limit.
  const double due = std::floor(limits.resume_seconds_max / chunk->seconds) + 1;
  const double chunks = *between <= due ? limits.resume_seconds_max / chunk->seconds : *between;
  return std::min(longest, chunks) * chunk->seconds;
}

std::optional<double> PredictWarmUp(const ResolvedSpec& spec, int64_t warm_up_latents,
                                    int64_t decoded_latents, const LaneCosts& costs) {
  const int64_t latents = std::min(warm_up_latents, decoded_latents);
  const int64_t frames = latents == decoded_latents ? LatentGrid::PixelFrames(latents)
                                                    : LatentGrid::LaterPixelFrames(latents);
  return costs.DecodeSeconds(spec.decoder, static_cast<double>(spec.width * spec.height * frames),
                             latents);
}

}  // namespace longtake
