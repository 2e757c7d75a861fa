// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a rollout is asked to do, and what follows from that alone: how much it will hold and bring
// to a sweep. Known before it is made; only ShapeOf and the factory ask which kind it is. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kv/kv_pool.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/policy/key_plan.h"
#include "engine/policy/recipe.h"
#include "engine/policy/sampler.h"
#include "engine/video/sweep_load.h"

namespace longtake {

// A session's fixed choices, defaults resolved.
struct RolloutSpec {
  RolloutKind kind = RolloutKind::kChunks;
  SamplerKind sampler = SamplerKind::kFewStep;
  std::vector<NoiseLevel> levels;
  KeyPlanSpec key_plan;
  PromptSwitch prompt_switch = PromptSwitch::kSwap;
  double context_noise = 0.0;
  double guidance = 1.0;
  uint64_t seed = 0;
  int64_t channels = 16;
  LatentGrid chunk = {.frames = 3};  // latents of one channel of a chunk
  int64_t chunk_count = 0;           // 0: endless
  // Latent frames that are given to begin with: whole chunks, fewer than all (spec 3.5).
  int64_t start_latents = 0;
  KvLayout kv_layout;

  // Values of one latent frame.
  int64_t frame_values() const { return channels * chunk.area(); }
  size_t branch_count() const { return guidance == 1.0 ? 1 : 2; }
};

struct RolloutShape {
  // Chunks whose latents move in one denoising forward, at most; and how many such forwards there
  // are for each chunk.
  int64_t chunks_in_work = 1;
  int64_t denoise_forwards = 0;
  // Whether a chunk's latents are enough to make what it leaves behind.
  bool can_replay = false;
  // Latent frames of K/V in one branch: kept beside the window; held at most; of those, what one
  // forward attends to at most, a full window without the chunk in work.
  int64_t anchor_frames = 0;
  int64_t frames_held = 0;
  int64_t frames_read = 0;
  // Rows of all branches in the largest forward.
  int64_t tokens_max = 0;
};

// More chunks than a take can have: an endless one is as if it had so many.
inline constexpr int64_t kChunksMax = int64_t{1} << 40;

RolloutShape ShapeOf(const RolloutSpec& spec);

// What a sweep of one denoising forward has to do once the window is full.
SweepLoad DenoisingSweep(const RolloutSpec& spec, bool kv_in_file);
// The sweeps that such a chunk takes: its clean pass rides in one of them where both have at most
// rows_max rows and K/V lies in memory, as in Rollout::needs.
std::vector<SweepLoad> SweepsOfChunk(const RolloutSpec& spec, int64_t rows_max, bool kv_in_file);
// What a replay goes through (Rollout::SetLogged).
struct ReplaySpan {
  int64_t first = 0;  // the first chunk that lacks its clean pass
  int64_t end = 0;    // the next to be made
  // Chunks before which the prompt changed, the first included while its re-cache waits; in order.
  std::vector<int64_t> changes = {};
  int64_t spare_frames = 0;  // of K/V
};
// Its sweeps: clean passes together as far as rows_max and K/V allow, and re-caches between them.
// The last clean pass is among them, though it may ride in a step's sweep. None when the take is
// done. A rolling take makes its chunks again.
std::vector<SweepLoad> SweepsOfReplay(const RolloutSpec& spec, const ReplaySpan& span,
                                      int64_t rows_max, bool kv_in_file);
// The sweeps until the first chunk's latents are final, with nothing behind it; none when it is
// given.
std::vector<SweepLoad> SweepsOfFirstChunk(const RolloutSpec& spec);

}  // namespace longtake
