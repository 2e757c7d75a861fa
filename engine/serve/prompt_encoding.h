// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Prompts on their way to the text encoder: which of them wait, one sweep for all that fit, and
// where their states go. The stage's thread only.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/serve/live_session.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep_runner.h"
#include "engine/video/video_model.h"

namespace longtake {

class PromptEncoding {
 public:
  // All must outlive it. keep_going is asked between layers.
  PromptEncoding(VideoModel& model, SweepRunner& runner, StatsBoard& board,
                 std::function<bool()> keep_going);

  // One sweep for the prompts that wait; false when none does. A session whose prompt cannot be
  // encoded has failed afterwards.
  bool EncodeSome(std::span<const std::unique_ptr<LiveSession>> sessions);

 private:
  struct Job;
  // As many as fit so many rows; at least one.
  std::vector<Job> CollectJobs(std::span<const std::unique_ptr<LiveSession>> sessions,
                               int64_t rows_max) const;
  absl::Status Encode(std::span<Job> jobs);
  absl::Status Sweep(std::span<Job> jobs);
  void PutText(Job& job);
  void Fail(Job& job, const absl::Status& status);

  VideoModel& model_;
  SweepRunner& runner_;
  StatsBoard& board_;
  const std::function<bool()> keep_going_;
};

}  // namespace longtake
