// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/chunk_rollout.h"

#include <utility>

namespace longtake {

ChunkRollout::ChunkRollout(const RolloutSpec& spec, RolloutState state)
    : Rollout(spec, std::move(state)), sampler_(spec.sampler, spec.levels) {
  for (Branch& branch : branches_) branch.flow = NewLatents(spec.chunk.frames);
}

void ChunkRollout::ChangeText(std::unique_ptr<TextContext> text) {
  Rollout::ChangeText(std::move(text));
  state_.recache = remembers_latents() && chunk() > 0;
  if (state_.recache) ForgetRemade();
}

KeyPlanSpec ChunkRollout::key_plan() const {
  KeyPlanSpec plan = spec_.key_plan;
  plan.sink_start = state_.sink_start;
  return plan;
}

int64_t ChunkRollout::tokens_per_sweep() const {
  const int64_t rows = spec_.kv_layout.rows;
  if (state_.recache) return std::ssize(PlanTheRecache().plan.query_index) * rows;
  return std::ssize(branches_) * spec_.chunk.frames * rows;
}

// At the start of a chunk its noise is drawn, the same again when a sweep was dropped.
void ChunkRollout::AppendItems(std::vector<RolloutItem>* items) {
  if (state_.recache) {
    AppendRecache(items);
    return;
  }
  if (is_given()) {
    x_ = GivenChunk();
  } else if (step_ == 0) {
    // A rolling sink starts every chunk from the same noise (spec 3.6); later draws stay fresh.
    const bool same_noise = spec_.key_plan.kind == KeyPlanKind::kRollingSink;
    x_ = DrawNoise(same_noise ? 0 : chunk(), 0, NoisePurpose::kInitial);
  }
  const double timestep = clean_pass() ? spec_.context_noise : sampler_.level(step_).timestep;
  forward_ = {.latents = &x_, .plan = PlanKeys(key_plan(), start(), spec_.chunk.frames)};
  forward_.AddTimesteps(x_.frames(), timestep);
  if (clean_pass()) {
    for (int64_t i = 0; i < x_.frames(); ++i) forward_.keep.push_back(start() + i);
  }
  for (size_t i = 0; i < branches_.size(); ++i) items->push_back(MakeItem(forward_, i));
}

absl::StatusOr<std::optional<FinishedChunk>> ChunkRollout::SettleForward() {
  if (state_.recache) {
    SettleRecache();
    return std::nullopt;
  }
  if (!clean_pass()) {
    LT_RETURN_IF_ERROR(SettleDenoise());
    ++step_;
    // Nothing will ever attend to the last chunk, so it needs no clean pass.
    if (!clean_pass() || !last_chunk()) return std::nullopt;
  } else {
    CommitChunk(start(), key_plan());
    if (remembers_latents()) Remember();
  }
  step_ = 0;
  return FinishedChunk{.index = state_.chunk++, .latents = std::move(x_)};
}

absl::Status ChunkRollout::SettleDenoise() {
  LT_RETURN_IF_ERROR(GuideFlow(step_));
  Latents noise;
  if (sampler_.DrawsNoise(step_)) noise = DrawNoise(chunk(), step_ + 1, NoisePurpose::kRenoise);
  sampler_.Advance(step_, branches_[0].flow.values(), noise.values(), x_.values());
  return absl::OkStatus();
}

void ChunkRollout::Remember() {
  std::deque<Latents>& recent = state_.recent;
  for (int64_t i = 0; i < x_.frames(); ++i) recent.push_back(x_.Frames(i, 1));
  while (std::ssize(recent) > spec_.key_plan.window_frames) recent.pop_front();
}

RecachePlan ChunkRollout::PlanTheRecache() const {
  return PlanRecache(key_plan(), start(), spec_.prompt_switch == PromptSwitch::kRecache);
}

// What it makes again is not read before, so its room serves what is made.
void ChunkRollout::ForgetRemade() {
  std::set<int64_t> read;
  for (const PlannedKey& key : PlanTheRecache().plan.keys) read.insert(key.frame);
  state_.frames[0] = std::move(read);
}

// Only the first branch's prompt can change.
void ChunkRollout::AppendRecache(std::vector<RolloutItem>* items) {
  RecachePlan recache = PlanTheRecache();
  KeyPlanSpec after = key_plan();
  after.sink_start = recache.sink_start_new;
  const int64_t frames = std::ssize(recache.plan.query_index);
  // They are there already when a sweep was dropped; a second copy was not promised.
  if (recache_latents_.frames() != frames) recache_latents_ = NewLatents(frames);
  auto latents = state_.recent.end() - frames;
  for (int64_t i = 0; i < frames; ++i) recache_latents_.SetFrames(i, *latents++);
  forward_ = {.latents = &recache_latents_, .plan = std::move(recache.plan)};
  forward_.AddTimesteps(frames, 0.0);
  for (int64_t frame = recache.first; frame < start(); ++frame) {
    const bool needed = FrameNeeded(after, frame, start(), spec_.chunk.frames);
    forward_.keep.push_back(needed ? frame : kNotKept);
  }
  items->push_back(MakeItem(forward_, 0));
}

void ChunkRollout::SettleRecache() {
  std::set<int64_t>& frames = state_.frames[0];
  state_.sink_start = PlanTheRecache().sink_start_new;
  frames.insert(forward_.keep.begin(), forward_.keep.end());
  frames.erase(kNotKept);
  std::erase_if(frames, [this](int64_t frame) {  // a sink that does not stay
    return !FrameNeeded(key_plan(), frame, start(), spec_.chunk.frames);
  });
  recache_latents_ = {};
  state_.recache = false;
}

}  // namespace longtake
