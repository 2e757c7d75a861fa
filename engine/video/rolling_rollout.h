// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Several chunks at falling levels of noise in one forward (spec 3.7): each forward moves every
// chunk in work to its next level, finishes the oldest and lets a new one in. A finished chunk gets
// its clean pass in the sweep of the next forward. One sweep a chunk, whatever the number of
// levels; a weight that is streamed is read once for it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/video/rollout.h"

namespace longtake {

class RollingRollout final : public Rollout {
 public:
  RollingRollout(const RolloutSpec& spec, RolloutState state);

 private:
  int64_t sweeps_left() const override;
  int64_t forward_rows() const override;
  void AppendForward(std::vector<RolloutItem>* items) override;
  absl::StatusOr<std::optional<FinishedChunk>> SettleForward() override;
  KeyPlanSpec clean_plan(size_t branch) const override;
  // Whether the next joint forward begins a further chunk.
  bool LetsIn() const;
  int64_t next_index() const { return chunk() + std::ssize(state_.in_work); }
  absl::Status SettleJoint();

  Sampler sampler_;  // few-step, which keeps nothing between steps: all chunks share it
  Forward joint_;
  Latents window_;  // of all chunks in work
};

// What the joint forward of `frames` frames from latent frame start on attends to: the anchor, seen
// right before the latest settled frames, and those; all within the window.
KeyPlan PlanRolling(const KeyPlanSpec& spec, int64_t start, int64_t frames);

}  // namespace longtake
