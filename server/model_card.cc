// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/model_card.h"

#include "absl/strings/str_cat.h"
#include "engine/policy/sampler.h"
#include "server/render.h"

namespace longtake {
namespace {

void RenderCost(const VideoModel& model, v1::ModelCost* out) {
  const Recipe& recipe = model.recipe();
  const KvLayout kv = model.kv_layout(recipe.width, recipe.height);
  out->set_layer_count(static_cast<int32_t>(model.config().layers));
  out->set_layer_bytes(static_cast<int64_t>(model.transformer_bytes()));
  out->set_streamed_bytes_per_sweep(static_cast<int64_t>(model.streamed_bytes_per_sweep()));
  out->set_kv_bytes_per_frame(
      static_cast<int64_t>(2 * static_cast<uint64_t>(kv.layers * kv.rows) * kv.row_bytes()));
  const size_t sweeps = recipe.rollout == RolloutKind::kRolling ? 1 : NoiseLevels(recipe).size();
  out->set_sweeps_per_chunk(static_cast<int32_t>(sweeps));
  out->set_resident_bytes(static_cast<int64_t>(model.resident_bytes()));
}

}  // namespace

void RenderModel(const VideoModel& model, v1::Model* out) {
  const Recipe& recipe = model.recipe();
  out->set_name(absl::StrCat("models/", model.name()));
  out->set_digest(model.digest());
  out->set_numerics_profile(std::string(model.numerics_profile()));
  out->set_width(static_cast<int32_t>(recipe.width));
  out->set_height(static_cast<int32_t>(recipe.height));
  out->set_fps(static_cast<int32_t>(recipe.fps));
  out->mutable_steps()->Assign(recipe.steps.begin(), recipe.steps.end());
  RenderKeyPlan(recipe.key_plan, out->mutable_key_plan());
  out->set_guidance(recipe.guidance);
  out->set_chunk_latent_frames(static_cast<int32_t>(recipe.chunk_frames));
  for (const std::string& prompt : recipe.example_prompts) out->add_example_prompts(prompt);
  out->set_has_tiny_decoder(model.has_tiny_decoder());
  RenderCost(model, out->mutable_cost());
}

}  // namespace longtake
