// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/chunk_rollout.h"

#include <utility>

namespace longtake {

ChunkRollout::ChunkRollout(const RolloutSpec& spec, std::unique_ptr<KvShare> kv)
    : Rollout(spec, std::move(kv)), sampler_(spec.sampler, spec.levels), key_plan_(spec.key_plan) {
  for (Branch& branch : branches_) branch.flow = NewLatents(spec.chunk.frames);
}

void ChunkRollout::SetText(size_t branch, std::unique_ptr<TextContext> text) {
  Rollout::SetText(branch, std::move(text));
  recache_ = remembers_latents() && chunk_ > 0;
}

int64_t ChunkRollout::tokens_per_sweep() const {
  const int64_t rows = spec_.kv_layout.rows;
  if (recache_) return std::ssize(PlanTheRecache().plan.query_index) * rows;
  return std::ssize(branches_) * spec_.chunk.frames * rows;
}

// At the start of a chunk its noise is drawn, the same again when a sweep was dropped.
void ChunkRollout::AppendItems(std::vector<VideoItem>* items) {
  if (recache_) {
    AppendRecache(items);
    return;
  }
  if (is_given()) {
    x_ = GivenChunk();
  } else if (step_ == 0) {
    // A rolling sink starts every chunk from the same noise (spec 3.6); later draws stay fresh.
    const bool same_noise = key_plan_.kind == KeyPlanKind::kRollingSink;
    x_ = DrawNoise(same_noise ? 0 : chunk_, 0, NoisePurpose::kInitial);
  }
  const double timestep = clean_pass() ? spec_.context_noise : sampler_.level(step_).timestep;
  forward_ = {.latents = &x_,
              .plan = PlanKeys(key_plan_, start(), spec_.chunk.frames),
              .keep_fresh = clean_pass()};
  forward_.AddTimesteps(x_.frames(), timestep);
  for (Branch& branch : branches_) items->push_back(MakeItem(forward_, branch));
}

absl::StatusOr<std::optional<FinishedChunk>> ChunkRollout::SettleForward() {
  if (recache_) {
    SettleRecache();
    return std::nullopt;
  }
  if (!clean_pass()) {
    LT_RETURN_IF_ERROR(SettleDenoise());
    ++step_;
    // Nothing will ever attend to the last chunk, so it needs no clean pass.
    if (!clean_pass() || !last_chunk()) return std::nullopt;
  } else {
    CommitFresh(start(), key_plan_);
    if (remembers_latents()) Remember();
  }
  step_ = 0;
  return FinishedChunk{.index = chunk_++, .latents = std::move(x_)};
}

absl::Status ChunkRollout::SettleDenoise() {
  LT_RETURN_IF_ERROR(GuideFlow(step_));
  Latents noise;
  if (sampler_.DrawsNoise(step_)) noise = DrawNoise(chunk_, step_ + 1, NoisePurpose::kRenoise);
  sampler_.Advance(step_, branches_[0].flow.values(), noise.values(), x_.values());
  return absl::OkStatus();
}

void ChunkRollout::Remember() {
  for (int64_t i = 0; i < x_.frames(); ++i) recent_.push_back(x_.Frames(i, 1));
  while (std::ssize(recent_) > key_plan_.window_frames) recent_.pop_front();
}

RecachePlan ChunkRollout::PlanTheRecache() const {
  return PlanRecache(key_plan_, start(), spec_.prompt_switch == PromptSwitch::kRecache);
}

// Only the first branch's prompt can change.
void ChunkRollout::AppendRecache(std::vector<VideoItem>* items) {
  Branch& branch = branches_[0];
  RecachePlan recache = PlanTheRecache();
  const int64_t frames = std::ssize(recache.plan.query_index);
  // They are there already when a sweep was dropped; a second copy was not promised.
  if (recache_latents_.frames() != frames) recache_latents_ = NewLatents(frames);
  auto frame = recent_.end() - frames;
  for (int64_t i = 0; i < frames; ++i) recache_latents_.SetFrames(i, *frame++);
  forward_ = {.latents = &recache_latents_, .plan = recache.plan};
  forward_.AddTimesteps(frames, 0.0);
  VideoItem item = MakeItem(forward_, branch);
  branch.keep = RecacheTargets(branch, recache);
  item.keep = branch.keep;
  item.flow = nullptr;
  items->push_back(item);
}

// Overwriting in place needs no undo: nothing this forward reads is written by it, so a dropped one
// is repeated with the same result.
std::vector<KvFrame*> ChunkRollout::RecacheTargets(Branch& branch, const RecachePlan& recache) {
  KeyPlanSpec after = key_plan_;
  after.sink_start = recache.sink_start_new;
  const auto needed = [&](int64_t frame) {
    return FrameNeeded(after, frame, start(), spec_.chunk.frames);
  };
  auto free = branch.frames.begin();  // memory of frames that nobody will read again
  std::vector<KvFrame*> targets;
  for (int64_t frame = recache.first; frame < start(); ++frame) {
    const auto held = branch.frames.find(frame);
    if (!needed(frame)) {
      targets.push_back(nullptr);
    } else if (held != branch.frames.end()) {
      targets.push_back(&held->second);
    } else {
      while (needed(free->first)) ++free;
      targets.push_back(&(free++)->second);
    }
  }
  return targets;
}

void ChunkRollout::SettleRecache() {
  Branch& branch = branches_[0];
  const RecachePlan recache = PlanTheRecache();
  const std::vector<KvFrame*> targets = RecacheTargets(branch, recache);
  std::map<int64_t, KvFrame> frames;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] == nullptr) continue;
    frames[recache.first + static_cast<int64_t>(i)] = std::move(*targets[i]);
  }
  key_plan_.sink_start = recache.sink_start_new;
  for (auto& [frame, kv] : branch.frames) {  // a sink that stays
    if (!kv.empty() && FrameNeeded(key_plan_, frame, start(), spec_.chunk.frames)) {
      frames[frame] = std::move(kv);
    }
  }
  branch.frames = std::move(frames);
  recache_latents_ = {};
  recache_ = false;
}

}  // namespace longtake
