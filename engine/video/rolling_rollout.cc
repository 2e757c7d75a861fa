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

RollingRollout::RollingRollout(const RolloutSpec& spec, std::unique_ptr<KvShare> kv)
    : Rollout(spec, std::move(kv)), sampler_(SamplerKind::kFewStep, spec.levels) {}

bool RollingRollout::LetsIn() const {
  return in_work_.size() < spec_.levels.size() && (in_work_.empty() || in_work_.back().step > 0) &&
         (spec_.chunk_count == 0 || next_index() < spec_.chunk_count);
}

int64_t RollingRollout::tokens_per_sweep() const {
  const size_t chunks = clean_pass_ ? 1 : in_work_.size() + (LetsIn() ? 1 : 0);
  return static_cast<int64_t>(branches_.size() * chunks) * spec_.chunk.frames *
         spec_.kv_layout.rows;
}

void RollingRollout::AppendItems(std::vector<VideoItem>* items) {
  // A given chunk is where others are after their last level.
  if (is_given() && in_work_.empty()) {
    in_work_.push_back({chunk_, sampler_.step_count(), GivenChunk()});
    clean_pass_ = true;
  }
  if (clean_pass_) {
    PlanClean();
  } else {
    PlanJoint();
  }
  for (Branch& branch : branches_) {
    branch.flow.resize(window_.size());
    items->push_back(MakeItem(forward_, branch));
  }
}

// Letting a chunk in is no harm when the sweep is dropped: it waits with its noise.
void RollingRollout::PlanJoint() {
  if (LetsIn()) {
    const int64_t index = next_index();
    in_work_.push_back({index, 0, DrawNoise(index, 0, NoisePurpose::kInitial)});
  }
  const size_t chunks = in_work_.size();
  const auto part = static_cast<size_t>(spec_.chunk.frames * spec_.chunk.height *
                                        spec_.chunk.width);  // a channel of a chunk
  window_.resize(chunks * part * static_cast<size_t>(spec_.channels));
  forward_.timesteps.clear();
  for (size_t i = 0; i < chunks; ++i) {
    const ChunkInWork& chunk = in_work_[i];
    for (size_t c = 0; c < static_cast<size_t>(spec_.channels); ++c) {
      std::copy_n(chunk.x.begin() + static_cast<ptrdiff_t>(c * part), part,
                  window_.begin() + static_cast<ptrdiff_t>((c * chunks + i) * part));
    }
    const double timestep = sampler_.level(chunk.step).timestep;
    forward_.timesteps.insert(forward_.timesteps.end(), static_cast<size_t>(spec_.chunk.frames),
                              static_cast<float>(timestep));
  }
  forward_.latents = window_.data();
  forward_.plan = PlanRolling(spec_.key_plan, chunk_ * spec_.chunk.frames,
                              static_cast<int64_t>(chunks) * spec_.chunk.frames);
  forward_.keep_fresh = false;
}

// Within the window the anchor is a frame like any other.
void RollingRollout::PlanClean() {
  const KeyPlanSpec window{KeyPlanKind::kWindow, spec_.key_plan.window_frames, 0};
  forward_.latents = in_work_.front().x.data();
  forward_.timesteps.assign(static_cast<size_t>(spec_.chunk.frames),
                            static_cast<float>(spec_.context_noise));
  forward_.plan = PlanKeys(window, chunk_ * spec_.chunk.frames, spec_.chunk.frames);
  forward_.keep_fresh = true;
}

absl::Status RollingRollout::Settle(std::vector<float>* latents) {
  latents->clear();
  if (clean_pass_) {
    CommitFresh(chunk_ * spec_.chunk.frames,
                {KeyPlanKind::kWindow, spec_.key_plan.window_frames, 0, 0});
    clean_pass_ = false;
  } else {
    LT_RETURN_IF_ERROR(SettleJoint());
    if (in_work_.front().step < sampler_.step_count()) return absl::OkStatus();
    // Nothing will ever attend to the last chunk, so it needs no clean pass.
    clean_pass_ = chunk_ + 1 != spec_.chunk_count;
    if (clean_pass_) return absl::OkStatus();
  }
  *latents = std::move(in_work_.front().x);
  in_work_.pop_front();
  ++chunk_;
  return absl::OkStatus();
}

absl::Status RollingRollout::SettleJoint() {
  LT_RETURN_IF_ERROR(GuideFlow(in_work_.front().step));
  const size_t chunks = in_work_.size();
  const std::vector<float>& flow = branches_[0].flow;
  const auto part = static_cast<size_t>(spec_.chunk.frames * spec_.chunk.area());
  for (size_t i = 0; i < chunks; ++i) {
    ChunkInWork& chunk = in_work_[i];
    std::vector<float> own(chunk.x.size());
    for (size_t c = 0; c < static_cast<size_t>(spec_.channels); ++c) {
      std::copy_n(flow.begin() + static_cast<ptrdiff_t>((c * chunks + i) * part), part,
                  own.begin() + static_cast<ptrdiff_t>(c * part));
    }
    std::vector<float> noise;
    if (sampler_.DrawsNoise(chunk.step)) {
      noise = DrawNoise(chunk.index, chunk.step + 1, NoisePurpose::kRenoise);
    }
    sampler_.Advance(chunk.step, own, noise, chunk.x);
    ++chunk.step;
  }
  return absl::OkStatus();
}

}  // namespace longtake
