// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Prompts on their way to the text encoder: which of them wait, one sweep for all that fit, and
// where their states go. A prompt that is known already needs no sweep. The stage's thread only.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/serve/live_session.h"
#include "engine/serve/prompt_cache.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep_runner.h"
#include "engine/video/video_model.h"

namespace longtake {

class PromptEncoding {
 public:
  // All must outlive it. cache_bytes_max is for prompts that were encoded. keep_going is asked
  // between layers.
  PromptEncoding(VideoModel& model, SweepRunner& runner, StatsBoard& board,
                 uint64_t cache_bytes_max, std::function<bool()> keep_going);

  // Gives their states to those whose prompt is known; whether there were any.
  bool PutKnown(std::span<const std::unique_ptr<LiveSession>> sessions);
  // One sweep for the prompts that wait; false when none does. A session whose prompt cannot be
  // encoded has failed afterwards.
  bool EncodeSome(std::span<const std::unique_ptr<LiveSession>> sessions);

 private:
  struct Wish;
  struct Job;
  static std::vector<Wish> CollectWishes(std::span<const std::unique_ptr<LiveSession>> sessions);
  // As many prompts as fit so many rows; at least one. The same prompt is one job for all.
  static std::vector<Job> CollectJobs(std::span<const std::unique_ptr<LiveSession>> sessions,
                                      int64_t rows_max);
  absl::Status Encode(std::span<Job> jobs);
  absl::Status Sweep(std::span<Job> jobs);
  void Finish(Job& job);
  // False when it failed, and the session with it.
  bool PutText(const Wish& wish, std::span<const float> states);
  void Fail(const Wish& wish, const absl::Status& status);
  void Fail(const Job& job, const absl::Status& status);
  void Count(uint64_t encoded, uint64_t known);

  VideoModel& model_;
  SweepRunner& runner_;
  StatsBoard& board_;
  const std::function<bool()> keep_going_;
  PromptCache cache_;
};

}  // namespace longtake
