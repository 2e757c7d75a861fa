// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One chunk after the other (spec 3.2): its denoising steps, then a clean pass that keeps its K/V.
// Before the first step after a new prompt, one forward may make the window's K/V again (spec 3.8).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/video/rollout.h"

namespace longtake {

class ChunkRollout final : public Rollout {
 public:
  ChunkRollout(const RolloutSpec& spec, std::unique_ptr<KvShare> kv);

  void SetText(size_t branch, std::unique_ptr<TextContext> text) override;
  int64_t tokens_per_sweep() const override;
  void AppendItems(std::vector<VideoItem>* items) override;

 private:
  absl::StatusOr<std::optional<FinishedChunk>> SettleForward() override;
  bool clean_pass() const { return is_given() || step_ == sampler_.step_count(); }
  bool last_chunk() const { return chunk_ + 1 == spec_.chunk_count; }
  int64_t start() const { return chunk_ * spec_.chunk.frames; }
  bool remembers_latents() const { return spec_.prompt_switch != PromptSwitch::kSwap; }
  RecachePlan PlanTheRecache() const;
  void AppendRecache(std::vector<VideoItem>* items);
  void SettleRecache();
  // The K/V frames a re-cache overwrites, by the frame that will live in them; null where nobody
  // will read it.
  std::vector<KvFrame*> RecacheTargets(Branch& branch, const RecachePlan& recache);
  absl::Status SettleDenoise();
  void Remember();

  Sampler sampler_;
  KeyPlanSpec key_plan_;  // its sink may move
  bool recache_ = false;  // the next sweep makes the first branch's K/V again
  int64_t step_ = 0;      // the sampler's steps, then the clean pass
  Forward forward_;
  Latents x_;
  std::deque<Latents> recent_;  // the last frames, one each
  Latents recache_latents_;
};

}  // namespace longtake
