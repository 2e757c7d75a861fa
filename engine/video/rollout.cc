// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/rollout.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/finite.h"
#include "base/philox.h"
#include "engine/video/chunk_rollout.h"
#include "engine/video/rolling_rollout.h"

namespace longtake {

absl::StatusOr<KvNeeds> Rollout::FramesNeeded(const RolloutSpec& spec) {
  const RolloutShape shape = ShapeOf(spec);
  LT_ASSIGN_OR_RETURN(const uint64_t held, CheckedProduct({static_cast<uint64_t>(shape.frames_held),
                                                           spec.branch_count()},
                                                          "frames of K/V of the session"));
  return KvNeeds{.held = held,
                 .read = static_cast<uint64_t>(shape.frames_read) * spec.branch_count()};
}

absl::StatusOr<std::unique_ptr<Rollout>> Rollout::Create(const RolloutSpec& spec,
                                                         const KvMemory& memory) {
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, FramesNeeded(spec));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<KvShare> kv, KvShare::Create(memory, spec.kv_layout, frames));
  std::unique_ptr<Rollout> rollout;
  if (spec.kind == RolloutKind::kRolling) {
    rollout = std::make_unique<RollingRollout>(spec, std::move(kv));
  } else {
    rollout = std::make_unique<ChunkRollout>(spec, std::move(kv));
  }
  return rollout;
}

Rollout::Rollout(const RolloutSpec& spec, std::unique_ptr<KvShare> kv)
    : spec_(spec),
      shape_(ShapeOf(spec)),
      kv_(std::move(kv)),
      branches_(spec.branch_count()),
      has_start_(spec.start_latents == 0) {}

Rollout::~Rollout() = default;

uint64_t Rollout::file_layer_bytes() const {
  if (!kv_in_file()) return 0;
  const auto frames = static_cast<uint64_t>(shape_.frames_read) * branches_.size();
  return frames * spec_.kv_layout.file_layer_bytes();
}

void Rollout::SetText(size_t branch, std::unique_ptr<TextContext> text) {
  LT_CHECK(at_chunk_start());
  branches_[branch].text = std::move(text);
}

absl::StatusOr<std::optional<FinishedChunk>> Rollout::Settle() {
  auto settled = SettleForward();
  at_chunk_start_ = settled.ok() && settled->has_value();
  return settled;
}

void Rollout::SetStart(Latents latents) {
  LT_CHECK(!has_start_ && latents.frames() == spec_.start_latents);
  start_ = std::move(latents);
  has_start_ = true;
}

Latents Rollout::GivenChunk() const {
  return start_.Frames(chunk_ * spec_.chunk.frames, spec_.chunk.frames);
}

Latents Rollout::NewLatents(int64_t frames) const {
  return Latents(spec_.channels, spec_.chunk.WithFrames(frames));
}

bool Rollout::HasText() const {
  return std::all_of(branches_.begin(), branches_.end(),
                     [](const Branch& branch) { return branch.text != nullptr; });
}

int64_t Rollout::new_text_rows() const {
  int64_t rows = 0;
  for (const Branch& branch : branches_) {
    if (branch.text != nullptr && !branch.text->ready()) rows += branch.text->rows();
  }
  return rows;
}

Latents Rollout::DrawNoise(int64_t chunk, int64_t step, NoisePurpose purpose) const {
  Latents noise = NewLatents(spec_.chunk.frames);
  PhiloxNormal(spec_.seed, NoiseStream(chunk, step, purpose), 0, noise.values());
  return noise;
}

void Rollout::Forward::AddTimesteps(int64_t frames, double timestep) {
  timesteps.insert(timesteps.end(), static_cast<size_t>(frames), static_cast<float>(timestep));
}

VideoItem Rollout::MakeItem(const Forward& forward, Branch& branch) {
  branch.context.clear();
  for (const PlannedKey& key : forward.plan.keys) {
    branch.context.push_back({&branch.frames.at(key.frame), key.rope_index});
  }
  branch.keep.clear();
  if (forward.keep_fresh) {
    branch.fresh.resize(forward.timesteps.size());
    for (KvFrame& frame : branch.fresh) {
      if (frame.empty()) frame = kv_->NewFrame();
      branch.keep.push_back(&frame);
    }
  }
  VideoItem item;
  item.latents = forward.latents->values().data();
  item.frames = forward.latents->frames();
  item.height = spec_.chunk.height;
  item.width = spec_.chunk.width;
  item.timesteps = forward.timesteps;
  item.query_index = forward.plan.query_index;
  item.context = branch.context;
  item.text = branch.text.get();
  item.keep = branch.keep;
  item.flow = forward.keep_fresh ? nullptr : branch.flow.values().data();
  return item;
}

absl::Status Rollout::GuideFlow(int64_t step) {
  const std::span<float> flow = branches_[0].flow.values();
  if (branches_.size() == 2) {
    const auto guidance = static_cast<float>(spec_.guidance);
    const std::span<const float> negative = branches_[1].flow.values();
    for (size_t i = 0; i < flow.size(); ++i) {
      flow[i] = negative[i] + guidance * (flow[i] - negative[i]);
    }
  }
  return CheckFinite(flow, absl::StrCat("flow of chunk ", chunk_, ", step ", step));
}

void Rollout::CommitFresh(int64_t first, const KeyPlanSpec& plan) {
  const int64_t next = first + spec_.chunk.frames;
  if (next >= spec_.start_latents) start_ = {};
  for (Branch& branch : branches_) {
    for (size_t i = 0; i < branch.fresh.size(); ++i) {
      branch.frames[first + static_cast<int64_t>(i)] = std::move(branch.fresh[i]);
    }
    branch.fresh.clear();
    std::erase_if(branch.frames, [&](const auto& entry) {
      return entry.first >= shape_.anchor_frames &&
             !FrameNeeded(plan, entry.first, next, spec_.chunk.frames);
    });
  }
}

}  // namespace longtake
