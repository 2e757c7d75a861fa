// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/sweep_items.h"

#include "absl/strings/str_cat.h"

namespace longtake {

absl::Status SweepItems::Add(uint64_t session, Rollout& rollout, int64_t rows_max) {
  std::vector<RolloutItem> items;
  rollout.AppendItems(rows_max, &items);
  return Add(session, items);
}

absl::Status SweepItems::Add(uint64_t session, std::span<const RolloutItem> items) {
  for (const RolloutItem& item : items) {
    LT_RETURN_IF_ERROR(Add({.session = session, .branch = item.branch}, item));
  }
  return absl::OkStatus();
}

const KvFrame* SweepItems::Find(const KvOwner& owner, int64_t frame) const {
  if (const KvFrame* held = table_.Find(owner, frame); held != nullptr) return held;
  const auto written = written_.find({owner, frame});
  return written == written_.end() ? nullptr : written->second;
}

absl::Status SweepItems::Add(const KvOwner& owner, const RolloutItem& item) {
  std::vector<ContextFrame>& context = context_.emplace_back();
  for (const PlannedKey& key : item.context) {
    const KvFrame* frame = Find(owner, key.frame);
    if (frame == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("item ", items_.size(), ": context frame ",
                                                     key.frame, " is not written before it"));
    }
    context.push_back({.frame = frame, .rope_index = key.rope_index});
  }
  std::vector<KvFrame*>& targets = targets_.emplace_back();
  for (const int64_t number : item.writes) {
    KvFrame* frame = number == kNotWritten ? nullptr : table_.ToWrite(owner, number);
    if (frame == nullptr && number != kNotWritten) {
      return absl::InvalidArgumentError(
          absl::StrCat("item ", items_.size(), ": frame ", number, " is written already"));
    }
    targets.push_back(frame);
    if (frame != nullptr) written_[{owner, number}] = frame;
  }
  VideoItem& video = items_.emplace_back(item.video);
  video.text = item.text->of(stage_);
  video.context = context;
  video.writes = targets;
  return absl::OkStatus();
}

StagedItems::StagedItems(KvTables& tables) {
  of_stages_.reserve(tables.stage_count());
  for (size_t i = 0; i < tables.stage_count(); ++i) of_stages_.emplace_back(tables.stage(i), i);
}

absl::Status StagedItems::Add(uint64_t session, Rollout& rollout, int64_t rows_max) {
  std::vector<RolloutItem> brought;
  rollout.AppendItems(rows_max, &brought);
  for (SweepItems& of_stage : of_stages_) LT_RETURN_IF_ERROR(of_stage.Add(session, brought));
  return absl::OkStatus();
}

}  // namespace longtake
