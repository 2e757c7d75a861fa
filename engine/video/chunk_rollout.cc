// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/chunk_rollout.h"

#include <utility>

namespace longtake {

ChunkRollout::ChunkRollout(const RolloutSpec& spec, RolloutState state)
    : Rollout(spec, std::move(state)), sampler_(spec.sampler, spec.levels) {
  for (Branch& branch : branches_) branch.flow = NewLatents(spec.chunk.frames);
}

void ChunkRollout::ChangeText(PromptTexts text) {
  Rollout::ChangeText(std::move(text));
  state_.recache = remembers_latents() && chunk() > 0;
  state_.frames[0] = FramesToHold(0);
}

// Only the branch of the prompt is made again, so only its sink moves.
KeyPlanSpec ChunkRollout::key_plan(size_t branch) const {
  KeyPlanSpec plan = spec_.key_plan;
  if (branch == 0) plan.sink_start = state_.sink_start;
  return plan;
}

int64_t ChunkRollout::sweeps_left() const {
  return sampler_.step_count() - step_ + (state_.recache ? 1 : 0);
}

int64_t ChunkRollout::forward_rows() const {
  const int64_t rows = spec_.kv_layout.rows;
  if (state_.recache) return std::ssize(PlanTheRecache().plan.query_index) * rows;
  return std::ssize(branches_) * spec_.chunk.frames * rows;
}

// At the start of a chunk its noise is drawn, the same again when a sweep was dropped.
void ChunkRollout::AppendForward(std::vector<RolloutItem>* items) {
  if (state_.recache) {
    AppendRecache(items);
    return;
  }
  if (step_ == 0) {
    // A rolling sink starts every chunk from the same noise (spec 3.6); later draws stay fresh.
    const bool same_noise = spec_.key_plan.kind == KeyPlanKind::kRollingSink;
    x_ = DrawNoise(same_noise ? 0 : chunk(), 0, NoisePurpose::kInitial);
  }
  step_forward_ = {.latents = &x_};
  for (size_t branch = 0; branch < branch_count(); ++branch) {
    step_forward_.plans.push_back(PlanKeys(key_plan(branch), start(), spec_.chunk.frames));
  }
  step_forward_.AddTimesteps(x_.frames(), sampler_.level(step_).timestep);
  AppendAllBranches(step_forward_, items);
}

absl::StatusOr<std::optional<FinishedChunk>> ChunkRollout::SettleForward() {
  if (state_.recache) {
    SettleRecache();
    return std::nullopt;
  }
  LT_RETURN_IF_ERROR(SettleDenoise());
  if (++step_ < sampler_.step_count()) return std::nullopt;
  step_ = 0;
  return Finish(std::move(x_));
}

absl::Status ChunkRollout::SettleDenoise() {
  LT_RETURN_IF_ERROR(GuideFlow(step_));
  Latents noise;
  if (sampler_.DrawsNoise(step_)) noise = DrawNoise(chunk(), step_ + 1, NoisePurpose::kRenoise);
  sampler_.Advance(step_, branches_[0].flow.values(), noise.values(), x_.values());
  return absl::OkStatus();
}

void ChunkRollout::Written(const Latents& latents) {
  if (!remembers_latents()) return;
  std::deque<Latents>& recent = state_.recent;
  for (int64_t i = 0; i < latents.frames(); ++i) recent.push_back(latents.Frames(i, 1));
  while (std::ssize(recent) > spec_.key_plan.window_frames) recent.pop_front();
}

RecachePlan ChunkRollout::PlanTheRecache() const {
  return PlanRecache(key_plan(0), start(), spec_.prompt_switch == PromptSwitch::kRecache);
}

// Frames whose K/V is made again next are not read before, so they are given back first and their
// room serves the new K/V.
std::set<int64_t> ChunkRollout::FramesToHold(size_t branch) const {
  if (branch != 0 || !state_.recache || !all_written()) return Rollout::FramesToHold(branch);
  std::set<int64_t> read;
  for (const PlannedKey& key : PlanTheRecache().plan.keys) read.insert(key.frame);
  return read;
}

// Only the first branch's prompt can change.
void ChunkRollout::AppendRecache(std::vector<RolloutItem>* items) {
  RecachePlan recache = PlanTheRecache();
  KeyPlanSpec after = key_plan(0);
  after.sink_start = recache.sink_start_new;
  const int64_t frames = std::ssize(recache.plan.query_index);
  // After a dropped sweep they are still there. No memory was reserved for a second copy.
  if (recache_latents_.frames() != frames) recache_latents_ = NewLatents(frames);
  auto latents = state_.recent.end() - frames;
  for (int64_t i = 0; i < frames; ++i) recache_latents_.SetFrames(i, *latents++);
  step_forward_ = {.latents = &recache_latents_, .plans = {std::move(recache.plan)}};
  step_forward_.AddTimesteps(frames, 0.0);
  for (int64_t frame = recache.first; frame < start(); ++frame) {
    const bool needed = FrameNeeded(after, frame, start(), spec_.chunk.frames);
    step_forward_.writes.push_back(needed ? frame : kNotWritten);
  }
  items->push_back(MakeItem(step_forward_, 0));
}

void ChunkRollout::SettleRecache() {
  state_.sink_start = PlanTheRecache().sink_start_new;
  state_.recache = false;
  state_.frames[0] = FramesToHold(0);
  recache_latents_ = {};
}

}  // namespace longtake
