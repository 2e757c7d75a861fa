// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/prompt_encoding.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/serve/sweep.h"
#include "engine/video/stacks.h"

namespace longtake {

// A session that waits for the states of a prompt.
struct PromptEncoding::Wish {
  std::span<const int32_t> ids;  // the session's
  LiveSession* live = nullptr;
  size_t branch = 0;
  bool old = false;               // the text before the branch's
  PendingEvent* event = nullptr;  // null: the text that its rollout begins with

  bool lasts() const { return !live->done() && !live->abandoned(); }
};

// A prompt for the text encoder, and who waits for it.
struct PromptEncoding::Job {
  std::span<const int32_t> ids;
  std::vector<Wish> wishes;
  std::vector<float> states = {};

  bool wanted() const {
    return std::any_of(wishes.begin(), wishes.end(), [](const Wish& wish) { return wish.lasts(); });
  }
};

PromptEncoding::PromptEncoding(VideoModel& model, SweepRunner& runner, StatsBoard& board,
                               uint64_t cache_bytes_max, std::function<bool()> keep_going)
    : model_(model),
      runner_(runner),
      board_(board),
      keep_going_(std::move(keep_going)),
      cache_(cache_bytes_max) {}

std::vector<PromptEncoding::Wish> PromptEncoding::CollectWishes(
    std::span<const std::unique_ptr<LiveSession>> sessions) {
  std::vector<Wish> wishes;
  for (const auto& live : sessions) {
    if (live->done() || live->shows_again()) continue;
    const TakePrompts& prompts = live->arrival.prompts;
    const Rollout& rollout = live->rollout();
    for (size_t i = 0; i < prompts.branches.size(); ++i) {
      if (rollout.HasText(i)) continue;
      wishes.push_back({.ids = prompts.branches[i], .live = live.get(), .branch = i});
    }
    if (rollout.needs_old_text() && !rollout.HasOldText()) {
      wishes.push_back({.ids = prompts.old, .live = live.get(), .old = true});
    }
    // A new prompt comes after the first ones, or they would replace it.
    PendingEvent* prompt = live->prompt_to_encode();
    if (prompt == nullptr || !rollout.HasText()) continue;
    wishes.push_back({.ids = prompt->accepted.prompt_ids, .live = live.get(), .event = prompt});
  }
  return wishes;
}

std::vector<PromptEncoding::Job> PromptEncoding::CollectJobs(
    std::span<const std::unique_ptr<LiveSession>> sessions, int64_t rows_max) {
  std::vector<Job> jobs;
  int64_t tokens = 0;
  for (const Wish& wish : CollectWishes(sessions)) {
    const auto same = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) {
      return std::equal(job.ids.begin(), job.ids.end(), wish.ids.begin(), wish.ids.end());
    });
    if (same != jobs.end()) {
      same->wishes.push_back(wish);
      continue;
    }
    const auto rows = static_cast<int64_t>(wish.ids.size());
    if (!jobs.empty() && tokens + rows > rows_max) continue;
    tokens += rows;
    jobs.push_back({.ids = wish.ids, .wishes = {wish}});
  }
  return jobs;
}

bool PromptEncoding::PutKnown(std::span<const std::unique_ptr<LiveSession>> sessions) {
  bool found = false;
  uint64_t known = 0;
  for (const Wish& wish : CollectWishes(sessions)) {
    const std::vector<float>* states = cache_.Find(wish.ids);
    if (states == nullptr || !wish.lasts()) continue;
    if (PutText(wish, *states)) ++known;
    found = true;
  }
  if (known > 0) Count(0, known);
  return found;
}

bool PromptEncoding::EncodeSome(std::span<const std::unique_ptr<LiveSession>> sessions) {
  std::vector<Job> jobs = CollectJobs(sessions, model_.prompt_rows_max());
  if (jobs.empty()) return false;
  const absl::Status layer_fault = Encode(jobs);
  if (layer_fault.ok()) return true;
  // Prompts that found no room in this sweep would fail in the same way.
  for (const Job& job : CollectJobs(sessions, std::numeric_limits<int64_t>::max())) {
    Fail(job, layer_fault);
  }
  return true;
}

// A sweep that fails is repeated for each prompt alone, so that a fault in one prompt's rows ends
// only the sessions that have it. A layer that fails is missing for all: its error is returned.
absl::Status PromptEncoding::Encode(std::span<Job> jobs) {
  const absl::Status status = Sweep(jobs);
  if (absl::IsCancelled(status)) return absl::OkStatus();
  if (IsLayerFault(status)) return status;
  if (status.ok()) {
    for (Job& job : jobs) Finish(job);
  } else if (jobs.size() == 1) {
    Fail(jobs[0], status);
  } else {
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].wanted()) LT_RETURN_IF_ERROR(Encode(jobs.subspan(i, 1)));
    }
  }
  return absl::OkStatus();
}

absl::Status PromptEncoding::Sweep(std::span<Job> jobs) {
  std::vector<TextItem> items;
  for (Job& job : jobs) {
    job.states.assign(job.ids.size() * static_cast<size_t>(model_.config().text_dim), 0.0f);
    items.push_back({.ids = job.ids, .out = job.states.data()});
  }
  TextStack stack(model_, items);
  return runner_.RunPrompts(stack, [&] {
    return keep_going_() &&
           std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.wanted(); });
  });
}

void PromptEncoding::Finish(Job& job) {
  uint64_t given = 0;
  for (const Wish& wish : job.wishes) {
    if (wish.lasts() && PutText(wish, job.states)) ++given;
  }
  cache_.Put(job.ids, std::move(job.states));
  Count(1, given == 0 ? 0 : given - 1);
}

bool PromptEncoding::PutText(const Wish& wish, std::span<const float> states) {
  absl::StatusOr<PromptTexts> text =
      model_.NewPromptTexts(states, static_cast<int64_t>(wish.ids.size()));
  if (!text.ok()) {
    Fail(wish, text.status());
    return false;
  }
  if (wish.event != nullptr) {
    wish.event->text = *std::move(text);
  } else if (wish.old) {
    wish.live->rollout().SetOldText(*std::move(text));
  } else {
    wish.live->rollout().SetText(wish.branch, *std::move(text));
  }
  return true;
}

void PromptEncoding::Fail(const Wish& wish, const absl::Status& status) {
  FailSession(*wish.live, Annotate(status, "encoding the prompt"), board_);
}

void PromptEncoding::Fail(const Job& job, const absl::Status& status) {
  for (const Wish& wish : job.wishes) Fail(wish, status);
}

void PromptEncoding::Count(uint64_t encoded, uint64_t known) {
  board_.Update([&](EngineStats& stats) {
    stats.prompts_encoded += encoded;
    stats.prompts_known += known;
    stats.prompt_cache_bytes = cache_.bytes();
  });
}

}  // namespace longtake
