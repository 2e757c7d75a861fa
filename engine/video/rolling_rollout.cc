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
    : Rollout(spec, std::move(state)), sampler_(SamplerKind::kFewStep, spec.levels) {}

bool RollingRollout::LetsIn() const {
  return state_.in_work.size() < spec_.levels.size() &&
         (state_.in_work.empty() || state_.in_work.back().step > 0) &&
         (spec_.chunk_count == 0 || next_index() < spec_.chunk_count);
}

int64_t RollingRollout::tokens_per_sweep() const {
  const int64_t chunks = clean_pass_ ? 1 : std::ssize(state_.in_work) + (LetsIn() ? 1 : 0);
  return std::ssize(branches_) * chunks * spec_.chunk.frames * spec_.kv_layout.rows;
}

void RollingRollout::AppendItems(std::vector<RolloutItem>* items) {
  // A given chunk is where others are after their last level.
  if (is_given() && state_.in_work.empty()) {
    state_.in_work.push_back({.index = chunk(), .step = sampler_.step_count(), .x = GivenChunk()});
    clean_pass_ = true;
  }
  if (clean_pass_) {
    PlanClean();
  } else {
    PlanJoint();
  }
  for (size_t i = 0; i < branches_.size(); ++i) items->push_back(MakeItem(forward_, i));
}

// Letting a chunk in is no harm when the sweep is dropped: it waits with its noise.
void RollingRollout::PlanJoint() {
  if (LetsIn()) {
    const int64_t index = next_index();
    state_.in_work.push_back({.index = index, .x = DrawNoise(index, 0, NoisePurpose::kInitial)});
  }
  const int64_t frames = spec_.chunk.frames;
  window_ = NewLatents(std::ssize(state_.in_work) * frames);
  forward_ = {.latents = &window_,
              .plan = PlanRolling(spec_.key_plan, chunk() * frames, window_.frames())};
  int64_t first = 0;
  for (const ChunkInWork& chunk : state_.in_work) {
    window_.SetFrames(first, chunk.x);
    forward_.AddTimesteps(frames, sampler_.level(chunk.step).timestep);
    first += frames;
  }
  for (Branch& branch : branches_) branch.flow = NewLatents(window_.frames());
}

// Within the window the anchor is a frame like any other.
void RollingRollout::PlanClean() {
  const KeyPlanSpec window{KeyPlanKind::kWindow, spec_.key_plan.window_frames, 0};
  const int64_t first = chunk() * spec_.chunk.frames;
  forward_ = {.latents = &state_.in_work.front().x,
              .plan = PlanKeys(window, first, spec_.chunk.frames)};
  forward_.AddTimesteps(spec_.chunk.frames, spec_.context_noise);
  for (int64_t i = 0; i < spec_.chunk.frames; ++i) forward_.keep.push_back(first + i);
}

absl::StatusOr<std::optional<FinishedChunk>> RollingRollout::SettleForward() {
  if (clean_pass_) {
    CommitChunk(chunk() * spec_.chunk.frames,
                {KeyPlanKind::kWindow, spec_.key_plan.window_frames, 0, 0});
    clean_pass_ = false;
  } else {
    LT_RETURN_IF_ERROR(SettleJoint());
    if (state_.in_work.front().step < sampler_.step_count()) return std::nullopt;
    // Nothing will ever attend to the last chunk, so it needs no clean pass.
    clean_pass_ = chunk() + 1 != spec_.chunk_count;
    if (clean_pass_) return std::nullopt;
  }
  Latents latents = std::move(state_.in_work.front().x);
  state_.in_work.pop_front();
  return FinishedChunk{.index = state_.chunk++, .latents = std::move(latents)};
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
