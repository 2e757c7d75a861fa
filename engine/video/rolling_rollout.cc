// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/rolling_rollout.h"

#include <algorithm>
#include <utility>

namespace longtake {

KeyPlan PlanRolling(const KeyPlanSpec& spec, int64_t start, int64_t frames) {
  KeyPlan plan;
  for (int64_t frame = start; frame < start + frames; ++frame) plan.query_index.push_back(frame);
  if (start == 0) return plan;
  const int64_t room = spec.window_frames - frames - spec.sink_frames;
  const int64_t first = std::max(spec.sink_frames, start - room);
  for (int64_t i = 0; i < spec.sink_frames; ++i) {
    plan.keys.push_back({i, first - spec.sink_frames + i});
  }
  for (int64_t frame = first; frame < start; ++frame) plan.keys.push_back({frame, frame});
  return plan;
}

RollingRollout::RollingRollout(const RolloutSpec& spec, RolloutState state)
    : Rollout(spec, std::move(state)), sampler_(spec.sampler, spec.levels) {
  // Another sampler remembers steps, and so would need one for each chunk in work.
  LT_CHECK(spec.sampler == SamplerKind::kFewStep);
}

bool RollingRollout::LetsIn() const {
  return state_.in_work.size() < spec_.levels.size() &&
         (state_.in_work.empty() || state_.in_work.back().step > 0) &&
         (spec_.chunk_count == 0 || next_index() < spec_.chunk_count);
}

int64_t RollingRollout::sweeps_left() const {
  return sampler_.step_count() - (state_.in_work.empty() ? 0 : state_.in_work.front().step);
}

int64_t RollingRollout::forward_rows() const {
  const int64_t chunks = std::ssize(state_.in_work) + (LetsIn() ? 1 : 0);
  return std::ssize(branches_) * chunks * spec_.chunk.frames * spec_.kv_layout.rows;
}

// Letting a chunk in is no harm when the sweep is dropped: it waits with its noise.
void RollingRollout::AppendForward(std::vector<RolloutItem>* items) {
  if (LetsIn()) {
    const int64_t index = next_index();
    state_.in_work.push_back({.index = index, .x = DrawNoise(index, 0, NoisePurpose::kInitial)});
  }
  const int64_t frames = spec_.chunk.frames;
  window_ = NewLatents(std::ssize(state_.in_work) * frames);
  const KeyPlan plan = PlanRolling(spec_.key_plan, chunk() * frames, window_.frames());
  joint_ = {.latents = &window_, .plans = std::vector<KeyPlan>(branch_count(), plan)};
  int64_t first = 0;
  for (const ChunkInWork& chunk : state_.in_work) {
    window_.SetFrames(first, chunk.x);
    joint_.AddTimesteps(frames, sampler_.level(chunk.step).timestep);
    first += frames;
  }
  for (Branch& branch : branches_) branch.flow = NewLatents(window_.frames());
  AppendAllBranches(joint_, items);
}

// Within the window the anchor is a frame like any other.
KeyPlanSpec RollingRollout::clean_plan(size_t /*branch*/) const {
  return {.kind = KeyPlanKind::kWindow, .window_frames = spec_.key_plan.window_frames};
}

absl::StatusOr<std::optional<FinishedChunk>> RollingRollout::SettleForward() {
  LT_RETURN_IF_ERROR(SettleJoint());
  if (state_.in_work.front().step < sampler_.step_count()) return std::nullopt;
  Latents latents = std::move(state_.in_work.front().x);
  state_.in_work.pop_front();
  return Finish(std::move(latents));
}

absl::Status RollingRollout::SettleJoint() {
  LT_RETURN_IF_ERROR(GuideFlow(state_.in_work.front().step));
  int64_t first = 0;
  for (ChunkInWork& chunk : state_.in_work) {
    const Latents flow = branches_[0].flow.Frames(first, chunk.x.frames());
    Latents noise;
    if (sampler_.DrawsNoise(chunk.step)) {
      noise = DrawNoise(chunk.index, chunk.step + 1, NoisePurpose::kRenoise);
    }
    sampler_.Advance(chunk.step, flow.values(), noise.values(), chunk.x.values());
    ++chunk.step;
    first += chunk.x.frames();
  }
  return absl::OkStatus();
}

}  // namespace longtake
