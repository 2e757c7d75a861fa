// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The policy of causal video (spec 3): which forwards a chunk needs, what they attend to, which
// noise they draw, and which K/V is held. A rollout names frames by their number; the stage holds
// them (engine/kv/kv_table.h).
//
// A chunk's latents are final after its last step and leave then. Its clean pass, which makes the
// K/V that later chunks see, rides in the sweep of the next chunk's first step: layer by layer the
// frames are written before that step attends to them. Where there is no room for both it takes a
// sweep of its own, with the same bits.
//
// Nothing visible changes before Settle accepts a sweep, so a dropped sweep needs no undo: the next
// one builds the same items again. The stage's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "engine/kv/kv_memory.h"
#include "engine/model/wan/transformer.h"
#include "engine/policy/key_plan.h"
#include "engine/policy/sampler.h"
#include "engine/take/latents.h"
#include "engine/take/take.h"
#include "engine/video/prompt_texts.h"
#include "engine/video/rollout_shape.h"
#include "engine/video/rollout_state.h"

namespace longtake {

// A rollout's part in a sweep, for one guidance branch.
struct RolloutItem {
  VideoItem video;  // without its text, its context and the frames it writes
  const PromptTexts* text = nullptr;
  size_t branch = 0;
  std::span<const PlannedKey> context;
  // As video.writes, by number; kNotWritten where nobody wants the frame.
  std::span<const int64_t> writes;
};
inline constexpr int64_t kNotWritten = -1;

// What a noise draw is for; part of the generator's key.
enum class NoisePurpose : uint64_t { kInitial = 0, kRenoise = 1 };

// The generator stream of one draw: any chunk of a session can be drawn again without the others.
constexpr uint64_t NoiseStream(int64_t chunk, int64_t step, NoisePurpose purpose) {
  return static_cast<uint64_t>(chunk) << 16 | static_cast<uint64_t>(step) << 4 |
         static_cast<uint64_t>(purpose);
}

class Rollout : public Take {
 public:
  static std::unique_ptr<Rollout> Create(const RolloutSpec& spec);
  // Continues from the state of another one with the same spec, once it has its texts.
  // INVALID_ARGUMENT names the field of the state that does not fit the spec.
  static absl::StatusOr<std::unique_ptr<Rollout>> Restore(const RolloutSpec& spec,
                                                          RolloutState state);
  // Frames of K/V it will hold at most, all branches together.
  static absl::StatusOr<KvNeeds> FramesNeeded(const RolloutSpec& spec);
  ~Rollout() override;

  // 1, or 2 with guidance: the prompt, then the negative prompt.
  size_t branch_count() const override { return branches_.size(); }
  // The text that a branch begins with, or goes on with after Restore.
  void SetText(size_t branch, PromptTexts text);
  // Another prompt from here on, between two chunks. What it does to the memory of what was shown
  // before is the spec's prompt_switch.
  virtual void ChangeText(PromptTexts text);
  // Whether the text before the last change is still needed, beside the new one; and after Restore
  // it has to be set, too.
  bool needs_old_text() const { return state_.old_text; }
  bool HasOldText() const { return !old_text_.empty(); }
  void SetOldText(PromptTexts text);
  // The latents it begins with: as many frames as the spec says, once.
  void SetStart(Latents latents);
  bool HasStart() const { return state_.has_start; }
  // Whether all texts that it needs are there.
  bool HasText() const;
  bool HasText(size_t branch) const { return !branches_[branch].text.empty(); }
  bool has_inputs() const override { return HasText() && HasStart(); }
  // Whether it can go on from latents that it made before: where chunks are made one after the
  // other. Several at once need every forward, so such a take is made again.
  bool can_replay() const { return shape_.can_replay; }
  // Replay (spec 3.9): the latents of the next chunks, from chunk() on, as this take made them
  // before. They are given: finished without a sweep (TakeGiven), and what they leave behind is
  // what they left then, once each prompt is changed before the same chunk. A part of them will do:
  // what is set last counts, and when it is used up the take makes its next chunk itself. They lie
  // here until their clean pass, in memory that nobody reserved with the session.
  //
  // Their clean passes share sweeps as rows and K/V allow. A full window leaves room for the frames
  // of one chunk; spare frames beyond FramesNeeded, of each branch, make room for more. They are
  // the caller's to set aside in the pool, there being none in a file, until no clean pass waits.
  //
  // Only of a rollout that can replay and has its start, at a chunk's start, so not after a
  // re-cache; each with IsLatents of a chunk.
  void SetLogged(std::deque<Latents> chunks, int64_t spare_frames = 0);
  bool HasLogged() const { return !logged_.empty(); }
  // Finished chunks that wait for their clean pass.
  int64_t clean_passes_waiting() const { return std::ssize(state_.unwritten); }
  std::optional<FinishedChunk> TakeGiven() override;

  int64_t chunk() const override { return state_.chunk; }
  bool done() const override { return spec_.chunk_count != 0 && chunk() == spec_.chunk_count; }
  // Clean passes belong to the chunks before.
  bool at_chunk_start() const override { return at_chunk_start_; }
  // Only while at_chunk_start().
  const RolloutState& state() const;
  // The same between any two sweeps, without what was done of the next chunk: its steps are made
  // again from there. Null where they cannot be, as others depend on them.
  const RolloutState* boundary() const {
    return at_chunk_start_ || can_replay() ? &state_ : nullptr;
  }
  const std::set<int64_t>& frames(size_t branch) const override { return state_.frames[branch]; }
  SweepNeeds needs(int64_t rows_max) const override;
  // Appends its items for such a sweep, those that write frames before those that read them. They
  // point into this object until Settle or the next AppendItems.
  void AppendItems(int64_t rows_max, std::vector<RolloutItem>* items);
  absl::StatusOr<std::optional<FinishedChunk>> Settle() override;

  const RolloutSpec& spec() const { return spec_; }

 protected:
  struct Branch {
    PromptTexts text;
    Latents flow;
  };
  // One forward of some frames; only what it attends to may differ between the branches.
  struct Forward {
    const Latents* latents = nullptr;
    std::vector<KeyPlan> plans = {};    // one per branch
    std::vector<float> timesteps = {};  // one per frame
    // The frames whose K/V is written, by number. Such a forward needs no flow: it is a clean pass
    // or a re-cache.
    std::vector<int64_t> writes = {};

    // The next frames are at this timestep.
    void AddTimesteps(int64_t frames, double timestep);
  };

  Rollout(const RolloutSpec& spec, RolloutState state);

  // The forward that comes after all clean passes: its rows, its items, and what they mean when
  // they are done.
  virtual int64_t forward_rows() const = 0;
  // Whether it is a re-cache, which makes the K/V of earlier chunks again. Nothing shares its
  // sweep, and no step comes before it.
  virtual bool is_recache() const { return false; }
  virtual void AppendForward(std::vector<RolloutItem>* items) = 0;
  virtual absl::StatusOr<std::optional<FinishedChunk>> SettleForward() = 0;
  // What a clean pass attends to in a branch.
  virtual KeyPlanSpec clean_plan(size_t branch) const = 0;
  // The frames that a branch holds at a chunk's start: the rest of the state says which.
  virtual std::set<int64_t> FramesToHold(size_t branch) const;
  // The chunk with these latents has its K/V now.
  virtual void Written(const Latents& latents) { (void)latents; }

  // The next chunk has its last latents.
  FinishedChunk Finish(Latents latents);
  // Whether the next chunk is one of those it was given.
  bool is_given() const { return !state_.start.empty() || !logged_.empty(); }
  bool all_written() const { return state_.unwritten.empty(); }
  Latents NewLatents(int64_t frames) const;  // zeros
  // For a whole chunk.
  Latents DrawNoise(int64_t chunk, int64_t step, NoisePurpose purpose) const;
  // The item of one branch; flow must have room for a denoising one.
  RolloutItem MakeItem(const Forward& forward, size_t branch);
  void AppendAllBranches(const Forward& forward, std::vector<RolloutItem>* items);
  // Mixes the branches' flows into the first one's and checks it. INTERNAL as Settle.
  absl::Status GuideFlow(int64_t step);
  const RolloutSpec spec_;
  const RolloutShape shape_;
  RolloutState state_;
  std::vector<Branch> branches_;

 private:
  // Which of the waiting forwards a sweep of so many rows would do.
  struct SweepParts {
    int64_t clean_passes = 0;
    bool forward = false;
  };
  SweepParts PartsOf(int64_t rows_max) const;
  int64_t clean_rows() const;
  // Of prompts the next sweep would see for the first time.
  int64_t new_text_rows() const;
  // Whether the frames of so many clean passes find room.
  bool HasRoomFor(int64_t clean_passes) const;
  // Of a chunk that waits for it, the oldest being 0.
  Forward PlanClean(int64_t waiting) const;
  // The next chunk that has no K/V has them; frames that no later chunk reads are no longer held.
  void CommitClean();

  bool at_chunk_start_ = true;
  std::deque<Latents> logged_;  // from the next chunk on
  int64_t spare_frames_ = 0;
  PromptTexts old_text_;  // of the first branch, for the clean passes that wait
  // Of the sweep whose items were appended last.
  std::deque<Forward> clean_passes_;
  bool forward_ = false;
};

}  // namespace longtake
