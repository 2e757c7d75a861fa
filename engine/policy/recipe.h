// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the published layout does not say: how a checkpoint is meant to be rolled out. Read from
// longtake.json beside the model, or one of the named recipes; copied into the pack and covered by
// its digest (docs/formats.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/policy/key_plan.h"
#include "engine/policy/prompt_switch.h"

namespace longtake {

enum class SamplerKind {
  kFewStep,  // predict x0, draw fresh noise for the next level (spec 4.2)
  kEuler,    // follow the flow (spec 4.4)
  kUniPc,    // second-order predictor and corrector, for models that were not distilled (spec 4.4)
};

// How kUniPc spaces its levels; both were published.
enum class SigmaSpacing { kWan, kDiffusers };

enum class RolloutKind {
  kChunks,   // one chunk after the other (spec 3.2)
  kRolling,  // several chunks at falling levels of noise in one forward (spec 3.7)
};

struct Recipe {
  std::string name;
  int64_t chunk_frames = 3;  // latent frames
  SamplerKind sampler = SamplerKind::kFewStep;
  std::vector<double> steps;  // listed timesteps, 1000 = pure noise; none for kUniPc
  int64_t step_count = 50;    // of kUniPc
  SigmaSpacing spacing = SigmaSpacing::kWan;  // of kUniPc
  bool warp_steps = true;  // replace k by the shifted table's entry 1000-k (spec 4.2)
  double shift = 5.0;
  RolloutKind rollout = RolloutKind::kChunks;
  KeyPlanSpec key_plan;
  PromptSwitch prompt_switch = PromptSwitch::kSwap;
  double context_noise = 0.0;  // timestep of the clean pass
  bool tiled_decode = false;   // for frames too large to decode at once (spec 6.5)
  bool tiny_decoder = false;   // pixels by the small decoder, which the pack must have (spec 6.6)
  int64_t fps = 16;
  double guidance = 1.0;        // 1 means no guidance and a single branch
  std::string negative_prompt;  // where a session has guidance and none of its own
  int64_t width = 832;          // pixels, the default of a session
  int64_t height = 480;
  std::vector<std::string> example_prompts;
};

// Parses and validates; the error names the field. Unknown fields are errors.
absl::StatusOr<Recipe> ParseRecipe(std::string_view json);

// The recipe of a published checkpoint, as the JSON that ParseRecipe reads. NotFound lists the
// known names.
absl::StatusOr<std::string> NamedRecipeJson(std::string_view name);
std::vector<std::string> RecipeNames();

}  // namespace longtake
