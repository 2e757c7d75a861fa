// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The policy of causal video (spec 3.2): which forwards a chunk needs, what they attend to, which
// noise they draw, and what is kept. Holds the engine's whole state of a session between sweeps:
// the latents of the chunk in work, K/V per guidance branch, counters.
//
// Nothing visible changes before Settle accepts a sweep, so a dropped sweep needs no undo: the next
// one builds the same items again. Engine thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/key_plan.h"
#include "engine/kv/kv_memory.h"
#include "engine/model/wan_transformer.h"
#include "engine/sampler.h"

namespace longtake {

// A session's fixed choices, defaults resolved.
struct RolloutSpec {
  SamplerKind sampler = SamplerKind::kFewStep;
  std::vector<NoiseLevel> levels;
  KeyPlanSpec key_plan;
  int64_t chunk_frames = 3;
  double context_noise = 0.0;
  double guidance = 1.0;
  uint64_t seed = 0;
  int64_t channels = 16;
  int64_t latent_height = 0;
  int64_t latent_width = 0;
  int64_t chunk_count = 0;  // 0: endless
  KvLayout kv_layout;
};

// What a noise draw is for; part of the generator's key.
enum class NoisePurpose : uint64_t { kInitial = 0, kRenoise = 1 };

// The generator stream of one draw: any chunk of a session can be drawn again without the others.
constexpr uint64_t NoiseStream(int64_t chunk, int64_t step, NoisePurpose purpose) {
  return static_cast<uint64_t>(chunk) << 16 | static_cast<uint64_t>(step) << 4 |
         static_cast<uint64_t>(purpose);
}

class Rollout {
 public:
  // Reserves K/V pages for the most frames it will ever hold; RESOURCE_EXHAUSTED when they are not
  // free. The pool must outlive it.
  static absl::StatusOr<std::unique_ptr<Rollout>> Create(const RolloutSpec& spec, KvPool& pool);
  // Pages Create would reserve.
  static absl::StatusOr<uint64_t> PagesNeeded(const RolloutSpec& spec, const KvPool& pool);
  ~Rollout();

  // 1, or 2 with guidance: the prompt, then the negative prompt.
  size_t branch_count() const { return branches_.size(); }
  // Takes effect at once; the engine calls it only between chunks (plain swap).
  void SetText(size_t branch, std::unique_ptr<TextContext> text);
  bool HasText() const;

  int64_t chunk() const { return chunk_; }
  bool at_chunk_start() const { return step_ == 0; }
  bool done() const { return spec_.chunk_count != 0 && chunk_ == spec_.chunk_count; }
  // Rows its items bring to a sweep.
  int64_t tokens_per_sweep() const;

  // Rows of prompts the next sweep would see for the first time.
  int64_t new_text_rows() const;

  // Appends its items for the next sweep, one per branch. They point into this object until Settle
  // or the next AppendItems.
  void AppendItems(std::vector<VideoItem>* items);

  // The sweep with those items is done. INTERNAL when the model produced a value that is not
  // finite. When the chunk is finished its latents [channels, chunk_frames, h, w] are in *latents,
  // otherwise it is empty.
  absl::Status Settle(std::vector<float>* latents);

 private:
  struct Branch {
    std::unique_ptr<TextContext> text;
    std::map<int64_t, KvFrame> frames;  // by latent frame
    std::vector<KvFrame> fresh;         // being written by the clean pass
    std::vector<KvFrame*> keep;
    std::vector<ContextFrame> context;
    std::vector<float> flow;
  };

  Rollout(const RolloutSpec& spec, KvPool& pool, uint64_t reserved_pages);
  bool clean_pass() const { return step_ == static_cast<int64_t>(spec_.levels.size()); }
  bool last_chunk() const { return chunk_ + 1 == spec_.chunk_count; }
  void StartChunk();
  void DrawNoise(int64_t chunk, int64_t step, NoisePurpose purpose, std::vector<float>* out) const;
  VideoItem MakeItem(Branch& branch);
  absl::Status SettleDenoise();
  void KeepFrames();

  const RolloutSpec spec_;
  KvPool& pool_;
  const uint64_t reserved_pages_;
  std::vector<Branch> branches_;
  int64_t chunk_ = 0;
  int64_t step_ = 0;  // levels.size() is the clean pass
  KeyPlan plan_;
  std::vector<float> timesteps_;
  std::vector<float> x_;
  std::vector<float> noise_;
};

}  // namespace longtake
