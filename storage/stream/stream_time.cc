// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/stream_time.h"

#include <algorithm>
#include <deque>

namespace longtake {
namespace {

// The first sweep begins with empty slots; by the third the pattern repeats.
constexpr int kSweeps = 4;

class Simulation {
 public:
  Simulation(const StreamPlan& plan, const StreamRates& rates)
      : plan_(plan), rates_(rates), free_(plan.slot_count, 0.0) {}

  void RunUnit(const StreamUnit& unit, double compute_seconds) {
    if (!unit.kept) Arrive(unit.bytes);
    now_ += compute_seconds;
    if (!unit.kept) free_.push_back(now_);
  }
  void Compute(double seconds) { now_ += seconds; }
  double now() const { return now_; }

 private:
  // The unit is read into the slot that was given back first, behind all reads before it.
  void Arrive(uint64_t bytes) {
    const double size = static_cast<double>(bytes + extra());
    const double start = std::max(disk_, free_.front());
    free_.pop_front();
    disk_ = start + size / rates_.disk_bytes_per_second;
    const double verify = static_cast<double>(bytes) / rates_.verify_bytes_per_second;
    const double last_request =
        static_cast<double>(std::min(bytes, rates_.request_bytes)) / rates_.verify_bytes_per_second;
    now_ = std::max(now_ + verify, disk_ + last_request);
  }

  // Spread over a layer's streamed bytes.
  uint64_t extra() const {
    return rates_.extra_layer_bytes * plan_.first_unit.size() / std::max<size_t>(streamed_, 1);
  }

  const StreamPlan& plan_;
  const StreamRates& rates_;
  const size_t streamed_ = static_cast<size_t>(std::count_if(
      plan_.units.begin(), plan_.units.end(), [](const StreamUnit& unit) { return !unit.kept; }));
  std::deque<double> free_;  // when each free slot became so
  double disk_ = 0;
  double now_ = 0;
};

double UnitSeconds(const StreamPlan& plan, const StreamUnit& unit,
                   std::span<const double> layer_seconds) {
  const size_t layer = unit.layer - static_cast<size_t>(plan.layers.first);
  const size_t first = plan.first_unit[layer];
  uint64_t bytes = 0;
  for (size_t i = first; i < plan.units.size() && plan.units[i].layer == unit.layer; ++i) {
    bytes += plan.units[i].bytes;
  }
  return layer_seconds[layer] * static_cast<double>(unit.bytes) / static_cast<double>(bytes);
}

}  // namespace

SweepTime PredictSweep(const StreamPlan& plan, const StreamRates& rates,
                       std::span<const double> layer_seconds, double between_seconds) {
  SweepTime out;
  const uint64_t extra = rates.extra_layer_bytes * plan.first_unit.size();
  out.read_seconds =
      static_cast<double>(plan.bytes_per_sweep + extra) / rates.disk_bytes_per_second;
  out.work_seconds =
      between_seconds + static_cast<double>(plan.bytes_per_sweep) / rates.verify_bytes_per_second;
  for (const double seconds : layer_seconds) out.work_seconds += seconds;
  Simulation simulation(plan, rates);
  double start = 0;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    start = simulation.now();
    for (const StreamUnit& unit : plan.units) {
      simulation.RunUnit(unit, UnitSeconds(plan, unit, layer_seconds));
    }
    simulation.Compute(between_seconds);
  }
  // With every layer kept nothing but the extra bytes is read.
  out.seconds = std::max(simulation.now() - start, out.read_seconds);
  return out;
}

}  // namespace longtake
