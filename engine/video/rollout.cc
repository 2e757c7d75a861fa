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

namespace {

RolloutState Beginning(const RolloutSpec& spec) {
  return {.frames = std::vector<std::set<int64_t>>(spec.branch_count()),
          .has_start = spec.start_latents == 0,
          .sink_start = spec.key_plan.sink_start};
}

std::unique_ptr<Rollout> Make(const RolloutSpec& spec, RolloutState state) {
  if (spec.kind == RolloutKind::kRolling) {
    return std::make_unique<RollingRollout>(spec, std::move(state));
  }
  return std::make_unique<ChunkRollout>(spec, std::move(state));
}

}  // namespace

std::unique_ptr<Rollout> Rollout::Create(const RolloutSpec& spec) {
  return Make(spec, Beginning(spec));
}

absl::StatusOr<std::unique_ptr<Rollout>> Rollout::Restore(const RolloutSpec& spec,
                                                          RolloutState state) {
  LT_RETURN_IF_ERROR(CheckRolloutState(spec, state));
  std::unique_ptr<Rollout> rollout = Make(spec, std::move(state));
  for (size_t branch = 0; branch < rollout->branch_count(); ++branch) {
    if (rollout->frames(branch) == rollout->FramesToHold(branch)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "rollout state: frames: not those that later chunks attend to in branch ", branch));
  }
  return rollout;
}

Rollout::Rollout(const RolloutSpec& spec, RolloutState state)
    : spec_(spec),
      shape_(ShapeOf(spec)),
      state_(std::move(state)),
      branches_(spec.branch_count()) {}

Rollout::~Rollout() = default;

const RolloutState& Rollout::state() const {
  LT_CHECK(at_chunk_start());
  return state_;
}

void Rollout::SetText(size_t branch, PromptTexts text) {
  LT_CHECK(!HasText(branch));
  branches_[branch].text = std::move(text);
}

// Only the first branch's prompt can change. Clean passes that wait are of chunks that were made
// under the old one.
void Rollout::ChangeText(PromptTexts text) {
  LT_CHECK(at_chunk_start());
  if (!all_written() && !needs_old_text()) {
    state_.old_text = true;
    old_text_ = std::move(branches_[0].text);
  }
  branches_[0].text = std::move(text);
}

std::optional<FinishedChunk> Rollout::TakeGiven() {
  // Two texts at a time: the clean passes under the old one come first.
  if (!HasStart() || !is_given() || needs_old_text() || is_recache()) return std::nullopt;
  at_chunk_start_ = true;
  Latents latents;
  for (std::deque<Latents>* given : {&state_.start, &logged_}) {  // the log has the start, too
    if (given->empty()) continue;
    latents = std::move(given->front());
    given->pop_front();
  }
  return Finish(std::move(latents));
}

// Nothing will ever attend to the last chunk, so nobody waits for clean passes or holds frames.
FinishedChunk Rollout::Finish(Latents latents) {
  const int64_t index = state_.chunk++;
  if (done()) {
    state_.unwritten.clear();
    state_.recent.clear();
    for (std::set<int64_t>& frames : state_.frames) frames.clear();
  } else {
    state_.unwritten.push_back(latents);
  }
  return {.index = index, .latents = std::move(latents)};
}

Rollout::SweepParts Rollout::PartsOf(int64_t rows_max) const {
  const int64_t waiting = std::ssize(state_.unwritten);
  if (waiting == 0) return {.forward = true};
  SweepParts parts = {.clean_passes = 1};
  while (parts.clean_passes < waiting && (parts.clean_passes + 1) * clean_rows() <= rows_max &&
         HasRoomFor(parts.clean_passes + 1)) {
    ++parts.clean_passes;
  }
  parts.forward = parts.clean_passes == waiting && !is_given() && !is_recache() &&
                  waiting * clean_rows() + forward_rows() <= rows_max;
  return parts;
}

int64_t Rollout::clean_rows() const {
  return std::ssize(branches_) * spec_.chunk.frames * spec_.kv_layout.rows;
}

bool Rollout::HasRoomFor(int64_t clean_passes) const {
  return std::all_of(state_.frames.begin(), state_.frames.end(), [&](const auto& held) {
    return std::ssize(held) + clean_passes * spec_.chunk.frames <=
           shape_.frames_held + spare_frames_;
  });
}

SweepNeeds Rollout::needs(int64_t rows_max) const {
  const SweepParts parts = PartsOf(rows_max);
  const int64_t branches = std::ssize(branches_);
  const bool chained = parts.clean_passes + (parts.forward ? 1 : 0) > 1;
  const int64_t kept = parts.clean_passes * spec_.chunk.frames * branches;
  const int64_t made_again = parts.forward && is_recache() ? shape_.frames_held : 0;
  int64_t read = 0;
  for (const std::set<int64_t>& frames : state_.frames) read += std::ssize(frames);
  // Forwards of one sweep need not attend to the same frames.
  if (!chained) read = std::min(read, shape_.frames_read * branches);
  const uint64_t frame_bytes = spec_.kv_layout.file_layer_bytes();
  return {.rows = parts.clean_passes * clean_rows() + (parts.forward ? forward_rows() : 0),
          .text_rows = new_text_rows(),
          .kv_frame_bytes = frame_bytes,
          .kv_read_bytes = static_cast<uint64_t>(read) * frame_bytes,
          .kv_written_bytes = static_cast<uint64_t>(kept + made_again) * frame_bytes,
          .chained = chained};
}

void Rollout::AppendItems(int64_t rows_max, std::vector<RolloutItem>* items) {
  const SweepParts parts = PartsOf(rows_max);
  LT_CHECK(!parts.forward || !is_given() || is_recache());
  clean_passes_.clear();
  for (int64_t i = 0; i < parts.clean_passes; ++i) {
    const size_t first = items->size();
    AppendAllBranches(clean_passes_.emplace_back(PlanClean(i)), items);
    if (needs_old_text()) (*items)[first].text = &old_text_;
  }
  forward_ = parts.forward;
  if (forward_) AppendForward(items);
}

Rollout::Forward Rollout::PlanClean(int64_t waiting) const {
  const int64_t first = (state_.written() + waiting) * spec_.chunk.frames;
  Forward pass = {.latents = &state_.unwritten[static_cast<size_t>(waiting)]};
  for (size_t branch = 0; branch < branch_count(); ++branch) {
    pass.plans.push_back(PlanKeys(clean_plan(branch), first, spec_.chunk.frames));
  }
  pass.AddTimesteps(spec_.chunk.frames, spec_.context_noise);
  for (int64_t i = 0; i < spec_.chunk.frames; ++i) pass.writes.push_back(first + i);
  return pass;
}

absl::StatusOr<std::optional<FinishedChunk>> Rollout::Settle() {
  for (size_t i = 0; i < clean_passes_.size(); ++i) CommitClean();
  clean_passes_.clear();
  if (!std::exchange(forward_, false)) return std::nullopt;
  auto settled = SettleForward();
  at_chunk_start_ = settled.ok() && settled->has_value();
  return settled;
}

void Rollout::CommitClean() {
  Written(state_.unwritten.front());
  state_.unwritten.pop_front();
  if (all_written()) {
    state_.old_text = false;
    old_text_ = {};
  }
  for (size_t branch = 0; branch < branch_count(); ++branch) {
    state_.frames[branch] = FramesToHold(branch);
  }
}

std::set<int64_t> Rollout::FramesToHold(size_t branch) const {
  std::set<int64_t> frames;
  if (done()) return frames;
  const KeyPlanSpec plan = clean_plan(branch);
  const int64_t made = state_.written() * spec_.chunk.frames;
  // Nothing is needed but from the take's beginning, its sink and its latest frames.
  for (const int64_t first : {int64_t{0}, plan.sink_start, made - plan.window_frames}) {
    const int64_t end = std::min(made, first + plan.window_frames);
    for (int64_t frame = std::max<int64_t>(0, first); frame < end; ++frame) {
      if (frame < shape_.anchor_frames || FrameNeeded(plan, frame, made, spec_.chunk.frames)) {
        frames.insert(frame);
      }
    }
  }
  return frames;
}

void Rollout::SetStart(Latents latents) {
  LT_CHECK(!state_.has_start && latents.frames() == spec_.start_latents);
  for (int64_t first = 0; first < latents.frames(); first += spec_.chunk.frames) {
    state_.start.push_back(latents.Frames(first, spec_.chunk.frames));
  }
  state_.has_start = true;
}

void Rollout::SetLogged(std::deque<Latents> chunks, int64_t spare_frames) {
  LT_CHECK(can_replay() && at_chunk_start() && HasStart());
  for (const Latents& chunk : chunks) LT_CHECK(IsLatents(spec_, chunk, spec_.chunk.frames));
  logged_ = std::move(chunks);
  spare_frames_ = spare_frames;
}

Latents Rollout::NewLatents(int64_t frames) const {
  return Latents(spec_.channels, spec_.chunk.WithFrames(frames));
}

void Rollout::SetOldText(PromptTexts text) {
  LT_CHECK(needs_old_text() && !HasOldText());
  old_text_ = std::move(text);
}

bool Rollout::HasText() const {
  if (needs_old_text() && !HasOldText()) return false;
  return std::all_of(branches_.begin(), branches_.end(),
                     [](const Branch& branch) { return !branch.text.empty(); });
}

int64_t Rollout::new_text_rows() const {
  int64_t rows = 0;
  for (const Branch& branch : branches_) {
    if (!branch.text.empty() && !branch.text.ready()) rows += branch.text.rows();
  }
  if (HasOldText() && !old_text_.ready()) rows += old_text_.rows();
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

RolloutItem Rollout::MakeItem(const Forward& forward, size_t branch) {
  const KeyPlan& plan = forward.plans[branch];
  RolloutItem item = {
      .video = {}, .branch = branch, .context = plan.keys, .writes = forward.writes};
  item.video.latents = forward.latents->values().data();
  item.video.frames = forward.latents->frames();
  item.video.height = spec_.chunk.height;
  item.video.width = spec_.chunk.width;
  item.video.timesteps = forward.timesteps;
  item.video.query_index = plan.query_index;
  item.text = &branches_[branch].text;
  if (forward.writes.empty()) item.video.flow = branches_[branch].flow.values().data();
  return item;
}

void Rollout::AppendAllBranches(const Forward& forward, std::vector<RolloutItem>* items) {
  for (size_t i = 0; i < branches_.size(); ++i) items->push_back(MakeItem(forward, i));
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
  return CheckFinite(flow, absl::StrCat("flow of chunk ", chunk(), ", step ", step));
}

}  // namespace longtake
