// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Runs sweeps over the model's stacks: tries again what failed, tells what each one took and has
// the cost model learn. Knows neither sessions nor what the items are. The stage's thread only.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "engine/kv/kv_stages.h"
#include "engine/model/sweep_stack.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/video/video_model.h"

namespace longtake {

class SweepRunner {
 public:
  // All must outlive the runner. costs learns what sweeps take, lane_costs when they ran; on_sweep
  // may be empty.
  SweepRunner(const VideoModel& model, const KvStages& kv, Clock& clock, LaneCosts& lane_costs,
              SweepCostModel& costs, StatsBoard& board, SweepObserver on_sweep);

  // A read that fails may well succeed when asked again, so a sweep is run twice before its error
  // is the answer. keep_going is asked between layers; CANCELLED when it said no.
  //
  // A sweep of prompts: its time is counted, and no cost is learned from it.
  absl::Status RunPrompts(SweepStack& stack, const std::function<bool()>& keep_going);
  // A sweep of takes, which bring so many items and this load: the cost model learns from it.
  absl::Status RunTakes(SweepStack& stack, size_t items, const SweepLoad& load,
                        const std::function<bool()>& keep_going);

 private:
  // Runs it, a second time if it fails, and tells the observer.
  absl::Status Run(const SweepStack& stack, const std::function<absl::Status()>& sweep);
  absl::Status RunOnce(SweepStack& stack, const std::function<bool()>& keep_going,
                       SweepProbe probe);
  absl::Status RunTakesOnce(SweepStack& stack, size_t items, const SweepLoad& load,
                            const std::function<bool()>& keep_going);
  // Publishes the disk's counters. Called between layers, since a sweep may take minutes.
  void PublishDisk();
  std::vector<StageTimes> TimesOfStages() const;
  double WaitSeconds(SweepStack& stack) const;
  double KvSeconds() const;

  const VideoModel& model_;
  const KvStages& kv_;
  Clock& clock_;
  LaneCosts& lane_costs_;
  SweepCostModel& costs_;
  StatsBoard& board_;
  const SweepObserver on_sweep_;
  std::vector<LayerTimes> layer_times_;
  double take_seconds_ = 0;                        // in sweeps of takes that ended
  std::optional<int64_t> sweep_start_nanos_ = {};  // of the one under way
  // How many of the board's paths are each stage's; those of the text encoder follow.
  std::vector<size_t> stage_paths_;
};

}  // namespace longtake
