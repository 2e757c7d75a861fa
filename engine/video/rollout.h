// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The policy of causal video (spec 3): which forwards a chunk needs, what they attend to, which
// noise they draw, and what is kept. Holds the engine's whole state of a session between sweeps:
// the latents in work, K/V per guidance branch, counters.
//
// Nothing visible changes before Settle accepts a sweep, so a dropped sweep needs no undo: the next
// one builds the same items again. Engine thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/kv/kv_memory.h"
#include "engine/model/wan/transformer.h"
#include "engine/policy/key_plan.h"
#include "engine/policy/sampler.h"
#include "engine/video/latents.h"
#include "engine/video/rollout_shape.h"

namespace longtake {

// What a rollout makes: the latents of one chunk.
struct FinishedChunk {
  int64_t index = 0;
  Latents latents;
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
  // Sets K/V memory aside for the most frames it will ever hold; RESOURCE_EXHAUSTED when there is
  // not so much. The memory must outlive it.
  static absl::StatusOr<std::unique_ptr<Rollout>> Create(const RolloutSpec& spec,
                                                         const KvMemory& memory);
  // Frames of K/V that Create would set aside, all branches together.
  static absl::StatusOr<KvNeeds> FramesNeeded(const RolloutSpec& spec);
  virtual ~Rollout();

  // 1, or 2 with guidance: the prompt, then the negative prompt.
  size_t branch_count() const { return branches_.size(); }
  // The engine calls it only between chunks. What it does to the memory of what was shown before
  // is the spec's prompt_switch.
  virtual void SetText(size_t branch, std::unique_ptr<TextContext> text);
  // The latents it begins with: as many frames as the spec says, once.
  void SetStart(Latents latents);
  bool HasStart() const { return has_start_; }
  bool HasText() const;
  bool HasText(size_t branch) const { return branches_[branch].text != nullptr; }
  // Rows of prompts the next sweep would see for the first time.
  int64_t new_text_rows() const;

  // The next chunk to be finished.
  int64_t chunk() const { return chunk_; }
  bool done() const { return spec_.chunk_count != 0 && chunk_ == spec_.chunk_count; }
  // Whether events may be applied now: no forward was settled since chunk() changed. What there is
  // then is a state that one can stop in and go on from.
  bool at_chunk_start() const { return at_chunk_start_; }
  // Whether its K/V comes from the file.
  bool kv_in_file() const { return kv_->in_file(); }
  // What the items of a sweep read of one layer from the K/V file, at most.
  uint64_t file_layer_bytes() const;
  // Rows its items bring to the next sweep.
  virtual int64_t tokens_per_sweep() const = 0;
  // Appends its items for the next sweep, at most one per branch. They point into this object until
  // Settle or the next AppendItems.
  virtual void AppendItems(std::vector<VideoItem>* items) = 0;
  // The sweep with those items is done. Returns the chunk that it finished, if it finished one.
  // INTERNAL when the model produced a value that is not finite.
  absl::StatusOr<std::optional<FinishedChunk>> Settle();

 protected:
  struct Branch {
    std::unique_ptr<TextContext> text;
    std::map<int64_t, KvFrame> frames;  // by latent frame
    std::vector<KvFrame> fresh;         // being written by a clean pass
    std::vector<KvFrame*> keep;
    std::vector<ContextFrame> context;
    Latents flow;
  };
  // One forward of some frames, alike for all branches.
  struct Forward {
    const Latents* latents = nullptr;
    KeyPlan plan = {};
    bool keep_fresh = false;            // a clean pass: no flow, K/V into fresh
    std::vector<float> timesteps = {};  // one per frame

    // The next frames are at this timestep.
    void AddTimesteps(int64_t frames, double timestep);
  };

  Rollout(const RolloutSpec& spec, std::unique_ptr<KvShare> kv);

  virtual absl::StatusOr<std::optional<FinishedChunk>> SettleForward() = 0;

  // Whether the next chunk is one of those it was given: it takes a clean pass and nothing else.
  bool is_given() const { return chunk_ * spec_.chunk.frames < spec_.start_latents; }
  Latents GivenChunk() const;
  Latents NewLatents(int64_t frames) const;  // zeros
  // For a whole chunk.
  Latents DrawNoise(int64_t chunk, int64_t step, NoisePurpose purpose) const;
  // The item of one branch; flow must have room for a denoising one.
  VideoItem MakeItem(const Forward& forward, Branch& branch);
  // Mixes the branches' flows into the first one's and checks it. INTERNAL as Settle.
  absl::Status GuideFlow(int64_t step);
  // What clean passes wrote becomes frames first.. of every branch; frames that no later chunk
  // reads are given back.
  void CommitFresh(int64_t first, const KeyPlanSpec& plan);

  const RolloutSpec spec_;
  const RolloutShape shape_;
  const std::unique_ptr<KvShare> kv_;
  std::vector<Branch> branches_;  // after kv_, which outlives their frames
  int64_t chunk_ = 0;

 private:
  bool at_chunk_start_ = true;
  bool has_start_;
  Latents start_;
};

}  // namespace longtake
