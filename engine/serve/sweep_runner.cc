// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep_runner.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {

SweepRunner::SweepRunner(const VideoModel& model, const KvStages& kv, Clock& clock,
                         LaneCosts& lane_costs, SweepCostModel& costs, StatsBoard& board,
                         SweepObserver on_sweep)
    : model_(model),
      kv_(kv),
      clock_(clock),
      lane_costs_(lane_costs),
      costs_(costs),
      board_(board),
      on_sweep_(std::move(on_sweep)),
      layer_times_(static_cast<size_t>(model.config().layers)) {
  std::vector<PathStats> paths;
  const auto append = [&](const LayerStream& layers) {
    std::vector<PathStats> of_stream = layers.path_stats();
    const size_t count = of_stream.size();
    for (PathStats& path : of_stream) paths.push_back(std::move(path));
    return count;
  };
  for (size_t i = 0; i < model_.stage_count(); ++i) {
    stage_paths_.push_back(append(model_.stage(i).layers()));
  }
  append(model_.text_layers());
  board_.Update([&](EngineStats& stats) { stats.layer_paths = std::move(paths); });
}

absl::Status SweepRunner::Run(const SweepStack& stack, const std::function<absl::Status()>& sweep) {
  absl::Status status = sweep();
  if (!status.ok() && !absl::IsCancelled(status)) status = sweep();
  if (on_sweep_ && !absl::IsCancelled(status)) on_sweep_(stack.name(), status);
  return status;
}

absl::Status SweepRunner::RunOnce(SweepStack& stack, const std::function<bool()>& keep_going,
                                  SweepProbe probe) {
  std::vector<std::unique_ptr<ModelSweep>> models;
  std::vector<StageSweep> stages;
  for (size_t i = 0; i < stack.stage_count(); ++i) {
    LT_ASSIGN_OR_RETURN(models.emplace_back(), stack.NewSweep(i));
    stages.push_back(
        {.model = *models.back(), .layers = stack.layers(i), .received = stack.received(i)});
  }
  probe.trace = model_.options().trace;
  probe.track = std::string(stack.name());
  return RunSweep(
      stages,
      [&] {
        PublishDisk();
        return keep_going();
      },
      probe);
}

absl::Status SweepRunner::RunPrompts(SweepStack& stack, const std::function<bool()>& keep_going) {
  const int64_t start_nanos = clock_.MonotonicNanos();
  const absl::Status status =
      Run(stack, [&] { return RunOnce(stack, keep_going, {.clock = clock_}); });
  PublishDisk();
  board_.Update([&](EngineStats& stats) {
    ++stats.text_sweeps;
    stats.text_seconds += NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  });
  return status;
}

absl::Status SweepRunner::RunTakes(SweepStack& stack, size_t items, const SweepLoad& load,
                                   const std::function<bool()>& keep_going) {
  return Run(stack, [&] { return RunTakesOnce(stack, items, load, keep_going); });
}

absl::Status SweepRunner::RunTakesOnce(SweepStack& stack, size_t items, const SweepLoad& load,
                                       const std::function<bool()>& keep_going) {
  if (!keep_going()) return absl::CancelledError("nobody is left in the sweep");
  const int64_t start_nanos = clock_.MonotonicNanos();
  sweep_start_nanos_ = start_nanos;
  const double waited_before = WaitSeconds(stack);
  const TraceSpan span(model_.options().trace, clock_, "sweeps",
                       absl::StrCat("sweep of ", items, ", ", load.tokens, " tokens"));
  lane_costs_.BeginSweep(clock_.MonotonicNanos());
  const absl::Status status = RunOnce(
      stack, keep_going,
      {.clock = clock_, .times = &layer_times_, .kv_seconds = [this] { return KvSeconds(); }});
  lane_costs_.EndSweep(clock_.MonotonicNanos());
  const double seconds = NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  if (status.ok()) {
    costs_.Add(
        {.load = load, .seconds = seconds, .wait_seconds = WaitSeconds(stack) - waited_before});
  }
  sweep_start_nanos_.reset();
  take_seconds_ += seconds;
  PublishDisk();
  board_.Update([&](EngineStats& stats) {
    stats.knee_tokens = static_cast<uint64_t>(costs_.Knee().value_or(0));
    if (!status.ok()) {
      ++stats.sweeps_dropped;
      return;
    }
    ++stats.transformer_sweeps;
    stats.items += items;
    stats.item_tokens += static_cast<uint64_t>(load.tokens);
    stats.transformer_seconds += seconds;
  });
  return status;
}

void SweepRunner::PublishDisk() {
  board_.Update([this](EngineStats& stats) {
    stats.text_layers = model_.text_layers().stats();
    stats.transformer_layers = {};
    std::span<PathStats> paths(stats.layer_paths);
    for (size_t i = 0; i < model_.stage_count(); ++i) {
      const LayerStream& layers = model_.stage(i).layers();
      stats.transformer_layers.Add(layers.stats());
      layers.ReadPathStats(paths.first(stage_paths_[i]));
      paths = paths.subspan(stage_paths_[i]);
    }
    model_.text_layers().ReadPathStats(paths);
    stats.transformer_layer_times = layer_times_;
    stats.stages = TimesOfStages();
    stats.kv_stream = kv_.stream_stats();
  });
}

std::vector<StageTimes> SweepRunner::TimesOfStages() const {
  const double in_work = sweep_start_nanos_.has_value()
                             ? NanosToSeconds(clock_.MonotonicNanos() - *sweep_start_nanos_)
                             : 0;
  std::vector<StageTimes> stages(model_.stage_count());
  for (size_t i = 0; i < stages.size(); ++i) {
    StageTimes& times = stages[i];
    const LayerRange& range = model_.stage(i).range();
    for (int64_t layer = range.first; layer < range.end; ++layer) {
      const LayerTimes& of_layer = layer_times_[static_cast<size_t>(layer)];
      times.busy_seconds += of_layer.compute_seconds;
      times.layer_wait_seconds +=
          of_layer.wait_seconds + of_layer.verify_seconds + of_layer.kv_seconds;
    }
    times.row_wait_seconds =
        std::max(0.0, take_seconds_ + in_work - times.busy_seconds - times.layer_wait_seconds);
  }
  return stages;
}

// For layers and for K/V of the file.
double SweepRunner::WaitSeconds(SweepStack& stack) const {
  double for_layers = 0;
  for (size_t i = 0; i < stack.stage_count(); ++i) {
    for_layers += stack.layers(i).stats().wait_seconds;
  }
  return for_layers + kv_.stream_stats().wait_seconds;
}

double SweepRunner::KvSeconds() const {
  const KvStream::Stats kv = kv_.stream_stats();
  return kv.wait_seconds + kv.verify_seconds;
}

}  // namespace longtake
