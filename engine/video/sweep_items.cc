// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/sweep_items.h"

#include "absl/strings/str_cat.h"

namespace longtake {

absl::Status SweepItems::Add(uint64_t session, Rollout& rollout) {
  std::vector<RolloutItem> items;
  rollout.AppendItems(&items);
  for (const RolloutItem& item : items) LT_RETURN_IF_ERROR(Add(session, item));
  return absl::OkStatus();
}

absl::Status SweepItems::Add(uint64_t session, const RolloutItem& item) {
  const KvOwner owner = {.session = session, .branch = item.branch};
  std::vector<ContextFrame>& context = context_.emplace_back();
  for (const PlannedKey& key : item.context) {
    const KvFrame* frame = table_.Find(owner, key.frame);
    if (frame == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("item ", items_.size(), ": context frame ",
                                                     key.frame, " is not written before it"));
    }
    context.push_back({.frame = frame, .rope_index = key.rope_index});
  }
  std::vector<KvFrame*>& keep = keep_.emplace_back();
  for (const int64_t number : item.keep) {
    KvFrame* frame = number == kNotKept ? nullptr : table_.ToWrite(owner, number);
    if (frame == nullptr && number != kNotKept) {
      return absl::InvalidArgumentError(
          absl::StrCat("item ", items_.size(), ": frame ", number, " is written already"));
    }
    keep.push_back(frame);
  }
  VideoItem& video = items_.emplace_back(item.video);
  video.context = context;
  video.keep = keep;
  return absl::OkStatus();
}

}  // namespace longtake
