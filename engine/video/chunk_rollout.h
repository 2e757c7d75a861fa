// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One chunk after the other (spec 3.2): its denoising steps, then a clean pass that writes its K/V,
// in the sweep of the next chunk's first step. So a chunk takes as many sweeps as it has steps.
// Before the first step after a new prompt, one forward may make the window's K/V again (spec 3.8).
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "engine/video/rollout.h"

namespace longtake {

class ChunkRollout final : public Rollout {
 public:
  ChunkRollout(const RolloutSpec& spec, RolloutState state);

  void ChangeText(PromptTexts text) override;

 private:
  int64_t sweeps_left() const override;
  int64_t forward_rows() const override;
  bool is_recache() const override { return state_.recache; }
  void AppendForward(std::vector<RolloutItem>* items) override;
  absl::StatusOr<std::optional<FinishedChunk>> SettleForward() override;
  KeyPlanSpec clean_plan(size_t branch) const override { return key_plan(branch); }
  std::set<int64_t> FramesToHold(size_t branch) const override;
  void Written(const Latents& latents) override;
  int64_t start() const { return chunk() * spec_.chunk.frames; }
  bool remembers_latents() const { return spec_.prompt_switch != PromptSwitch::kSwap; }
  KeyPlanSpec key_plan(size_t branch) const;  // with the sink where it is now
  RecachePlan PlanTheRecache() const;
  void AppendRecache(std::vector<RolloutItem>* items);
  void SettleRecache();
  absl::Status SettleDenoise();

  Sampler sampler_;
  int64_t step_ = 0;
  Forward step_forward_;
  Latents x_;
  Latents recache_latents_;
};

}  // namespace longtake
