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
  // Latent frames it is given to begin with, whole chunks, fewer than all (spec 3.5).
  int64_t start_latents = 0;
  KvLayout kv_layout;

  // Values of one latent frame.
  int64_t frame_values() const { return channels * chunk.area(); }
  size_t branch_count() const { return guidance == 1.0 ? 1 : 2; }
};

struct RolloutShape {
  // Chunks whose latents move in one denoising forward, at most; and how many such forwards each
  // takes beside its clean pass.
  int64_t chunks_in_work = 1;
  int64_t denoise_forwards = 0;
  // Latent frames of K/V in one branch: kept beside the window; held at most; of those, what one
  // sweep attends to at most, a full window without the chunk in work.
  int64_t anchor_frames = 0;
  int64_t frames_held = 0;
  int64_t frames_read = 0;
  // Rows of all branches: of the largest sweep that takes noise away, and of the largest of all.
  int64_t denoise_tokens = 0;
  int64_t tokens_max = 0;
};

RolloutShape ShapeOf(const RolloutSpec& spec);

}  // namespace longtake
