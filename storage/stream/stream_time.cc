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
      : plan_(plan),
        rates_(rates),
        free_(plan.slot_count, 0.0),
        disks_(rates.disk_bytes_per_second.size(), 0.0) {}

  void RunUnit(const StreamUnit& unit, double compute_seconds) {
    if (!unit.kept) Arrive(unit);
    now_ += compute_seconds;
    if (!unit.kept) free_.push_back(now_);
  }
  void Compute(double seconds) { now_ += seconds; }
  double now() const { return now_; }

 private:
  // The unit is read into the slot that was given back first, behind its disk's reads before it.
  void Arrive(const StreamUnit& unit) {
    const uint64_t bytes = unit.bytes;
    const double size = static_cast<double>(bytes + (unit.path == 0 ? extra() : 0));
    const size_t number = plan_.path_disk[unit.path];
    double& disk = disks_[number];
    disk = std::max(disk, free_.front()) + size / rates_.disk_bytes_per_second[number];
    free_.pop_front();
    const double verify = static_cast<double>(bytes) / rates_.verify_bytes_per_second;
    const double last_request =
        static_cast<double>(std::min(bytes, rates_.request_bytes)) / rates_.verify_bytes_per_second;
    now_ = std::max(now_ + verify, disk + last_request);
  }

  // Spread over what the first path streams.
  uint64_t extra() const {
    return rates_.extra_layer_bytes * plan_.first_unit.size() / std::max<size_t>(streamed_, 1);
  }

  const StreamPlan& plan_;
  const StreamRates& rates_;
  const size_t streamed_ = static_cast<size_t>(
      std::count_if(plan_.units.begin(), plan_.units.end(),
                    [](const StreamUnit& unit) { return !unit.kept && unit.path == 0; }));
  std::deque<double> free_;    // when each free slot became so
  std::vector<double> disks_;  // when each will have read what it was asked for
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
  for (size_t disk = 0; disk < plan.disk_count(); ++disk) {
    const uint64_t extra = disk == 0 ? rates.extra_layer_bytes * plan.first_unit.size() : 0;
    const double seconds =
        static_cast<double>(plan.disk_bytes(disk) + extra) / rates.disk_bytes_per_second[disk];
    out.read_seconds = std::max(out.read_seconds, seconds);
  }
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
