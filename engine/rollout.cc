// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/rollout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/philox.h"

namespace longtake {
namespace {

int64_t FramesHeld(const RolloutSpec& spec) {
  const int64_t most = FramesHeldMax(spec.key_plan, spec.chunk_frames);
  if (spec.chunk_count == 0) return most;
  return std::min(most, spec.chunk_count * spec.chunk_frames);
}

size_t BranchCount(const RolloutSpec& spec) { return spec.guidance == 1.0 ? 1 : 2; }

}  // namespace

absl::StatusOr<uint64_t> Rollout::PagesNeeded(const RolloutSpec& spec, const KvPool& pool) {
  LT_ASSIGN_OR_RETURN(const uint64_t per_frame, pool.PagesPerFrame(spec.kv_layout));
  return CheckedProduct({per_frame, static_cast<uint64_t>(FramesHeld(spec)), BranchCount(spec)},
                        "K/V pages of the session");
}

absl::StatusOr<std::unique_ptr<Rollout>> Rollout::Create(const RolloutSpec& spec, KvPool& pool) {
  LT_ASSIGN_OR_RETURN(const uint64_t pages, PagesNeeded(spec, pool));
  LT_RETURN_IF_ERROR(pool.Reserve(pages));
  return std::unique_ptr<Rollout>(new Rollout(spec, pool, pages));
}

Rollout::Rollout(const RolloutSpec& spec, KvPool& pool, uint64_t reserved_pages)
    : spec_(spec), pool_(pool), reserved_pages_(reserved_pages), branches_(BranchCount(spec)) {
  const auto size = static_cast<size_t>(spec.channels * spec.chunk_frames * spec.latent_height *
                                        spec.latent_width);
  x_.resize(size);
  noise_.resize(size);
  timesteps_.resize(static_cast<size_t>(spec.chunk_frames));
  for (Branch& branch : branches_) branch.flow.resize(size);
}

Rollout::~Rollout() {
  branches_.clear();
  pool_.Unreserve(reserved_pages_);
}

void Rollout::SetText(size_t branch, std::unique_ptr<TextContext> text) {
  LT_CHECK(at_chunk_start());
  branches_[branch].text = std::move(text);
}

bool Rollout::HasText() const {
  return std::all_of(branches_.begin(), branches_.end(),
                     [](const Branch& branch) { return branch.text != nullptr; });
}

int64_t Rollout::tokens_per_sweep() const {
  return static_cast<int64_t>(branches_.size()) * spec_.chunk_frames * spec_.kv_layout.rows;
}

int64_t Rollout::new_text_rows() const {
  int64_t rows = 0;
  for (const Branch& branch : branches_) {
    if (branch.text != nullptr && !branch.text->ready()) rows += branch.text->rows();
  }
  return rows;
}

void Rollout::DrawNoise(int64_t chunk, int64_t step, NoisePurpose purpose,
                        std::vector<float>* out) const {
  PhiloxNormal(spec_.seed, NoiseStream(chunk, step, purpose), 0, *out);
}

// Draws the same again when a sweep was dropped.
void Rollout::StartChunk() {
  plan_ = PlanKeys(spec_.key_plan, chunk_ * spec_.chunk_frames, spec_.chunk_frames);
  // A rolling sink starts every chunk from the same noise (spec 3.6); later draws stay fresh.
  const bool same_noise = spec_.key_plan.kind == KeyPlanKind::kRollingSink;
  DrawNoise(same_noise ? 0 : chunk_, 0, NoisePurpose::kInitial, &x_);
}

void Rollout::AppendItems(std::vector<VideoItem>* items) {
  if (step_ == 0) StartChunk();
  const double timestep =
      clean_pass() ? spec_.context_noise : spec_.levels[static_cast<size_t>(step_)].timestep;
  std::fill(timesteps_.begin(), timesteps_.end(), static_cast<float>(timestep));
  for (Branch& branch : branches_) items->push_back(MakeItem(branch));
}

VideoItem Rollout::MakeItem(Branch& branch) {
  branch.context.clear();
  for (const PlannedKey& key : plan_.keys) {
    branch.context.push_back({&branch.frames.at(key.frame), key.rope_index});
  }
  branch.keep.clear();
  if (clean_pass()) {
    branch.fresh.resize(static_cast<size_t>(spec_.chunk_frames));
    for (KvFrame& frame : branch.fresh) {
      if (frame.empty()) frame = KvFrame::Allocate(pool_, spec_.kv_layout);
      branch.keep.push_back(&frame);
    }
  }
  VideoItem item;
  item.latents = x_.data();
  item.frames = spec_.chunk_frames;
  item.height = spec_.latent_height;
  item.width = spec_.latent_width;
  item.timesteps = timesteps_;
  item.query_index = plan_.query_index;
  item.context = branch.context;
  item.text = branch.text.get();
  item.keep = branch.keep;
  item.flow = clean_pass() ? nullptr : branch.flow.data();
  return item;
}

absl::Status Rollout::Settle(std::vector<float>* latents) {
  latents->clear();
  if (!clean_pass()) {
    LT_RETURN_IF_ERROR(SettleDenoise());
    ++step_;
    // Nothing will ever attend to the last chunk, so it needs no clean pass.
    if (!clean_pass() || !last_chunk()) return absl::OkStatus();
  } else {
    KeepFrames();
  }
  *latents = x_;
  ++chunk_;
  step_ = 0;
  return absl::OkStatus();
}

absl::Status Rollout::SettleDenoise() {
  std::vector<float>& flow = branches_[0].flow;
  if (branches_.size() == 2) {
    const auto guidance = static_cast<float>(spec_.guidance);
    const std::vector<float>& negative = branches_[1].flow;
    for (size_t i = 0; i < flow.size(); ++i) {
      flow[i] = negative[i] + guidance * (flow[i] - negative[i]);
    }
  }
  if (!std::all_of(flow.begin(), flow.end(), [](float value) { return std::isfinite(value); })) {
    return absl::InternalError(absl::StrCat(
        "the model produced a value that is not finite in chunk ", chunk_, ", step ", step_));
  }
  if (spec_.sampler == SamplerKind::kFewStep) {
    DrawNoise(chunk_, step_ + 1, NoisePurpose::kRenoise, &noise_);
  }
  AdvanceSample({spec_.sampler, spec_.levels, step_}, flow, noise_, x_);
  return absl::OkStatus();
}

void Rollout::KeepFrames() {
  const int64_t start = chunk_ * spec_.chunk_frames;
  const int64_t next = start + spec_.chunk_frames;
  for (Branch& branch : branches_) {
    for (size_t i = 0; i < branch.fresh.size(); ++i) {
      branch.frames[start + static_cast<int64_t>(i)] = std::move(branch.fresh[i]);
    }
    branch.fresh.clear();
    std::erase_if(branch.frames, [&](const auto& entry) {
      return !FrameNeeded(spec_.key_plan, entry.first, next, spec_.chunk_frames);
    });
  }
}

}  // namespace longtake
