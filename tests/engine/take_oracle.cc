// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/take_oracle.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "engine/serve/resolve.h"
#include "engine/serve/sweep.h"
#include "engine/video/stacks.h"
#include "engine/video/sweep_items.h"

namespace longtake {
namespace {

constexpr uint64_t kSession = 1;
constexpr uint64_t kPageBytes = 1024;  // where a row is not larger

template <typename T>
T Value(absl::StatusOr<T> value) {
  if (!value.ok()) std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  LT_CHECK(value.ok());
  return *std::move(value);
}

void Run(SweepStack& stack) {
  std::vector<std::unique_ptr<ModelSweep>> models;
  std::vector<StageSweep> stages;
  for (size_t i = 0; i < stack.stage_count(); ++i) {
    models.push_back(Value(stack.NewSweep(i)));
    stages.push_back(
        {.model = *models.back(), .layers = stack.layers(i), .received = stack.received(i)});
  }
  ManualClock clock;
  const absl::Status done = RunSweep(stages, [] { return true; }, {.clock = clock});
  LT_CHECK(done.ok());
}

}  // namespace

TakeOracle::TakeOracle(VideoModel& model, const ResolvedSpec& spec,
                       const std::map<int64_t, std::string>& prompts,
                       std::span<const uint8_t> start)
    : model_(model), spec_(spec), prompts_(prompts) {
  const RolloutSpec rollout = RolloutFor(spec, model);
  const KvNeeds needs = Value(Rollout::FramesNeeded(rollout));
  const uint64_t page_bytes = std::max(kPageBytes, rollout.kv_layout.row_bytes());
  for (size_t i = 0; i < model.stage_count(); ++i) {
    KvLayout layout = rollout.kv_layout;
    layout.layers = model.stage(i).range().count();
    const uint64_t pages = needs.held * 2 * layout.side_pages(page_bytes);
    Device& device = model.stage(i).backend().device();
    pools_.push_back(Value(KvPool::Create(device, pages * page_bytes, page_bytes)));
    kv_.emplace_back().Open(kSession,
                            Value(KvShare::Create(KvMemory(*pools_.back()), layout, needs)));
  }
  rollout_ = Rollout::Create(rollout);
  rollout_->SetText(0, TextOf(spec.prompt));
  if (spec.guided()) rollout_->SetText(1, TextOf(spec.negative_prompt));
  if (!start.empty()) PutStart(start);
}

PromptTexts TakeOracle::TextOf(const std::string& prompt) {
  const std::vector<int32_t> ids = Value(model_.Tokenize(prompt));
  std::vector<float> states(ids.size() * static_cast<size_t>(model_.config().text_dim));
  const TextItem item = {.ids = ids, .out = states.data()};
  TextStack stack(model_, {&item, 1});
  Run(stack);
  return Value(model_.NewPromptTexts(states, std::ssize(ids)));
}

void TakeOracle::PutStart(std::span<const uint8_t> rgb) {
  StartProgress progress;
  while (progress.next_frame < spec_.start_frames) {
    const absl::Status encoded = model_.chunk_decoder().EncodeNext(
        {.rgb = rgb, .frames = spec_.start_frames, .height = spec_.height, .width = spec_.width},
        [] { return true; }, progress);
    LT_CHECK(encoded.ok());
  }
  rollout_->SetStart(std::move(progress.latents));
}

void TakeOracle::HoldFrames() {
  for (KvTable& kv : kv_) {
    for (size_t branch = 0; branch < rollout_->branch_count(); ++branch) {
      kv.Hold({.session = kSession, .branch = branch}, rollout_->frames(branch));
    }
  }
}

std::optional<FinishedChunk> TakeOracle::Sweep() {
  std::vector<RolloutItem> brought;
  rollout_->AppendItems(/*rows_max=*/0, &brought);
  std::vector<SweepItems> items;
  items.reserve(kv_.size());  // they point into themselves
  for (KvTable& kv : kv_) {
    items.emplace_back(kv, items.size());
    const absl::Status added = items.back().Add(kSession, brought);
    LT_CHECK(added.ok());
  }
  TransformerStack stack(model_, /*kv=*/nullptr, items);
  Run(stack);
  std::optional<FinishedChunk> chunk = Value(rollout_->Settle());
  HoldFrames();
  return chunk;
}

// A second prompt has to wait for the clean passes that still use the one before the last.
void TakeOracle::PutPrompt() {
  const auto prompt = prompts_.find(rollout_->chunk());
  if (prompt == prompts_.end() || changed_before_ > prompt->first) return;
  changed_before_ = prompt->first + 1;
  while (rollout_->needs_old_text()) LT_CHECK(!Sweep().has_value());
  rollout_->ChangeText(TextOf(prompt->second));
  HoldFrames();
}

FinishedChunk TakeOracle::NextChunk() {
  for (;;) {
    if (rollout_->at_chunk_start()) PutPrompt();
    std::optional<FinishedChunk> given = rollout_->TakeGiven();
    if (given.has_value()) {
      HoldFrames();
      return *std::move(given);
    }
    std::optional<FinishedChunk> made = Sweep();
    if (made.has_value()) return *std::move(made);
  }
}

// The last chunk is made whole and cut to the length that was asked for.
Hash128 TakeOracle::Decode(const FinishedChunk& chunk) {
  std::vector<uint8_t> rgb;
  for (int64_t i = 0; i < chunk.latents.frames(); ++i) {
    std::vector<uint8_t> frames;
    const absl::Status decoded = model_.chunk_decoder().Decode(
        chunk.latents.Frames(i, 1), {.tiled = spec_.tiled_decode}, [] { return true; }, caches_,
        &frames);
    LT_CHECK(decoded.ok());
    rgb.insert(rgb.end(), frames.begin(), frames.end());
  }
  const uint64_t frame_bytes = spec_.frame_bytes();
  if (spec_.frame_count != 0) {
    const auto left = static_cast<uint64_t>(spec_.frame_count - next_frame_);
    rgb.resize(std::min(rgb.size(), left * frame_bytes));
  }
  next_frame_ += static_cast<int64_t>(rgb.size() / frame_bytes);
  return Xxh3Hash128(std::as_bytes(std::span(rgb)));
}

std::vector<Hash128> TakeOracle::Digests(int64_t chunks) {
  std::vector<Hash128> digests;
  while (std::ssize(digests) < chunks) digests.push_back(Decode(NextChunk()));
  return digests;
}

}  // namespace longtake
