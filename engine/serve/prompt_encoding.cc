// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/prompt_encoding.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/serve/sweep.h"

namespace longtake {

// A prompt that waits for the text encoder, and where its states go.
struct PromptEncoding::Job {
  std::span<const int32_t> ids;
  LiveSession* live = nullptr;
  size_t branch = 0;
  PendingEvent* event = nullptr;  // null: the session's first text of that branch
  std::vector<float> states = {};
};

PromptEncoding::PromptEncoding(VideoModel& model, SweepRunner& runner, StatsBoard& board,
                               std::function<bool()> keep_going)
    : model_(model), runner_(runner), board_(board), keep_going_(std::move(keep_going)) {}

std::vector<PromptEncoding::Job> PromptEncoding::CollectJobs(
    std::span<const std::unique_ptr<LiveSession>> sessions, int64_t rows_max) const {
  std::vector<Job> jobs;
  int64_t tokens = 0;
  const auto add = [&](Job job) {
    const auto rows = static_cast<int64_t>(job.ids.size());
    if (!jobs.empty() && tokens + rows > rows_max) return;
    tokens += rows;
    jobs.push_back(std::move(job));
  };
  for (const auto& live : sessions) {
    if (live->done()) continue;
    for (size_t i = 0; i < live->arrival.prompt_ids.size(); ++i) {
      if (live->rollout().HasText(i)) continue;
      add({.ids = live->arrival.prompt_ids[i], .live = live.get(), .branch = i});
    }
    // A new prompt comes after the first ones, or they would replace it.
    PendingEvent* prompt = live->prompt_to_encode();
    if (prompt == nullptr || !live->rollout().HasText()) continue;
    add({.ids = prompt->accepted.prompt_ids, .live = live.get(), .event = prompt});
  }
  return jobs;
}

bool PromptEncoding::EncodeSome(std::span<const std::unique_ptr<LiveSession>> sessions) {
  std::vector<Job> jobs = CollectJobs(sessions, model_.prompt_rows_max());
  if (jobs.empty()) return false;
  const absl::Status layer_fault = Encode(jobs);
  if (layer_fault.ok()) return true;
  // Prompts that found no place in this sweep would meet the same.
  for (Job& job : CollectJobs(sessions, std::numeric_limits<int64_t>::max()))
    Fail(job, layer_fault);
  return true;
}

// What fails together is tried one by one, so that a fault of one prompt's rows takes nobody along.
// A layer is everybody's; its fault is given back.
absl::Status PromptEncoding::Encode(std::span<Job> jobs) {
  const absl::Status status = Sweep(jobs);
  if (absl::IsCancelled(status)) return absl::OkStatus();
  if (IsLayerFault(status)) return status;
  if (status.ok()) {
    for (Job& job : jobs) PutText(job);
  } else if (jobs.size() == 1) {
    Fail(jobs[0], status);
  } else {
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].live->done()) continue;
      LT_RETURN_IF_ERROR(Encode(jobs.subspan(i, 1)));
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
  return runner_.RunText(items, [&] {
    return keep_going_() && std::any_of(jobs.begin(), jobs.end(),
                                        [](const Job& job) { return !job.live->abandoned(); });
  });
}

void PromptEncoding::PutText(Job& job) {
  auto text = model_.NewTextContext(job.states, static_cast<int64_t>(job.ids.size()));
  if (!text.ok()) {
    Fail(job, text.status());
  } else if (job.event != nullptr) {
    job.event->text = *std::move(text);
  } else {
    job.live->rollout().SetText(job.branch, *std::move(text));
    if (job.live->rollout().HasText()) job.live->arrival.prompt_ids.clear();
  }
}

void PromptEncoding::Fail(Job& job, const absl::Status& status) {
  FailSession(*job.live, Annotate(status, "encoding the prompt"), board_);
}

}  // namespace longtake
