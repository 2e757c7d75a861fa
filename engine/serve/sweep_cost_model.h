// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long a sweep takes: one model for the batcher, for admission and for estimates. A calibration
// predicts it before the first sweep; sweeps of about the same size that were run lately correct
// the prediction. Without a calibration the prediction is the larger of two measured times: that of
// reading, and that of computing, which is a fixed part and one in proportion to the arithmetic.
//
// Any thread. Seconds are those of the wall.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include "base/mutex.h"
#include "engine/serve/recent_median.h"
#include "engine/video/sweep_load.h"
#include "storage/stream/stream_time.h"

namespace longtake {

// A sweep that was run.
struct SweepCost {
  SweepLoad load;
  double seconds = 0;       // all of it
  double wait_seconds = 0;  // for the disk
};

class SweepCostModel {
 public:
  // Both pure, asked by any thread. calibrated may be empty; flops is what a sweep computes, in any
  // unit.
  using Calibrated = std::function<SweepTime(const SweepLoad& load)>;
  using Flops = std::function<double(const SweepLoad& load)>;
  SweepCostModel(Calibrated calibrated, Flops flops);

  // Learns from a sweep. The first one also reads the kept layers and warms up, so it is ignored.
  void Add(const SweepCost& sweep) ABSL_LOCKS_EXCLUDED(mutex_);

  // nullopt without a calibration until a sweep was seen.
  std::optional<SweepTime> Predict(const SweepLoad& load) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Of several, one after the other; nullopt as above, of none zero.
  std::optional<SweepTime> PredictAll(std::span<const SweepLoad> loads) const;

  // The knee: rows from which a sweep makes at least kEfficient of the rows per second that larger
  // sweeps make; at least 1, which says that sharing a sweep saves nothing. Below it more sessions
  // are nearly free, because the layers are read or widened anyway. Beyond it more rows would only
  // make others wait longer. nullopt until a sweep was seen, and without a calibration until sweeps
  // of two sizes were.
  //
  // It is a property of the machine alone, and a small difference between two times that others can
  // slow down: so it is learned from the least that sweeps computed for and from the median of what
  // they read for, and never leaves a calibrated knee by more than a factor of two.
  std::optional<int64_t> Knee() const ABSL_LOCKS_EXCLUDED(mutex_);

  bool calibrated() const { return calibrated_ != nullptr; }

  static constexpr double kEfficient = 0.95;

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  // Means of sweeps of about one size, the latest weighing most.
  struct Mean {
    int64_t count = 0;
    uint64_t latest = 0;  // number of the sweep
    double tokens = 0;
    double pairs = 0;
    double kv_layer_bytes = 0;
    double seconds = 0;
    double work_seconds = 0;
    // What the load above takes where nothing else goes on: by the least seconds per operation of
    // this period and the one before it. A period is kForgetAfter sweeps of any size, so that all
    // sizes are looked at over the same time.
    double least_work_seconds = 0;
    uint64_t period = 0;
    double least_of_period = kNever;
    double least_before = kNever;

    SweepLoad load() const;
    // Takes in what a sweep took per operation; the least by now.
    double Least(double per_flop, uint64_t sweep);
  };
  using Work = double Mean::*;  // which of the two

  // As calibrated, or as it follows from the means; before correction.
  SweepTime Expect(const SweepLoad& load, Work work) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  double ExpectWork(const SweepLoad& load, Work work) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Mean& Larger(const Mean& small) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Mean& Nearest(int64_t tokens) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Calibrated calibrated_;
  const Flops flops_;
  mutable Mutex mutex_;
  bool warm_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t sweeps_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int, Mean> means_ ABSL_GUARDED_BY(mutex_);  // by half octaves of tokens
  RecentMedian read_seconds_ ABSL_GUARDED_BY(mutex_);  // of sweeps that the disk bounds; 0: none
};

}  // namespace longtake
