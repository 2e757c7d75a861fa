// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Runs sweeps over the model's two stacks, tries those again that fail, and reports what each one
// took to the statistics and the cost model. Knows items but no sessions. The stage's thread only.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/kv/kv_stream.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/video/video_model.h"

namespace longtake {

class SweepRunner {
 public:
  // All must outlive the runner; kv_stream is null where no K/V lives in a file.
  // costs learns what sweeps take, lane_costs when they ran; on_sweep may be empty.
  SweepRunner(VideoModel& model, KvStream* kv_stream, Clock& clock, LaneCosts& lane_costs,
              SweepCostModel& costs, StatsBoard& board, SweepObserver on_sweep);

  // A read that fails may well succeed when asked again, so a sweep is run twice before its error
  // is the answer. keep_going is asked between layers; CANCELLED when it said no.
  absl::Status RunVideo(std::span<const VideoItem> items, const std::function<bool()>& keep_going);
  absl::Status RunText(std::span<const TextItem> items, const std::function<bool()>& keep_going);

 private:
  absl::Status RunVideoOnce(std::span<const VideoItem> items,
                            const std::function<bool()>& keep_going);
  absl::Status RunTextOnce(std::span<const TextItem> items,
                           const std::function<bool()>& keep_going);
  // Runs it, a second time if it fails, and tells the observer.
  absl::Status Run(SweepStack stack, const std::function<absl::Status()>& sweep);
  // Publishes the disk's counters. Called between layers, since a sweep may take minutes.
  void PublishDisk();
  double WaitSeconds() const;
  double KvSeconds() const;

  VideoModel& model_;
  KvStream* const kv_stream_;
  Clock& clock_;
  LaneCosts& lane_costs_;
  SweepCostModel& costs_;
  StatsBoard& board_;
  const SweepObserver on_sweep_;
  std::vector<LayerTimes> layer_times_;
};

}  // namespace longtake
