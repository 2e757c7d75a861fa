// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/stream_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "storage/stream/spread.h"

namespace longtake {
namespace {

constexpr uint64_t kSlotsOfOnePath = 3;

uint64_t BytesKept(const StreamPlan& plan) {
  uint64_t bytes = 0;
  for (const StreamUnit& unit : plan.units) bytes += unit.kept ? unit.bytes : 0;
  return bytes;
}

struct Choice {
  size_t path = 0;
  uint64_t bytes = 0;
};

// Spread evenly over the paths first, then along each: in plain order every second layer could be
// the same path's, and the others would be read from one path alone.
std::vector<bool> KeepOfEachPath(const std::vector<Choice>& choices, uint64_t bytes_max) {
  std::vector<size_t> order(choices.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return std::pair(choices[i].path, i); });
  std::vector<uint64_t> bytes;
  for (const size_t i : order) bytes.push_back(choices[i].bytes);
  const std::vector<bool> in_order = PlanKept(bytes, bytes_max);
  std::vector<bool> kept(choices.size());
  for (size_t i = 0; i < order.size(); ++i) kept[order[i]] = in_order[i];
  return kept;
}

// Up to a layer may be left, which can be a good part of what would be read.
void KeepParts(uint64_t bytes_max, StreamPlan& plan) {
  std::vector<StreamUnit*> streamed;
  std::vector<Choice> choices;
  for (StreamUnit& unit : plan.units) {
    if (unit.kept) continue;
    streamed.push_back(&unit);
    choices.push_back({unit.path, unit.bytes});
  }
  const std::vector<bool> kept = KeepOfEachPath(choices, bytes_max);
  for (size_t i = 0; i < kept.size(); ++i) streamed[i]->kept = kept[i];
  plan.kept_part_count = static_cast<uint64_t>(std::count(kept.begin(), kept.end(), true));
}

// As many slots of the largest part as take no more than the layers themselves would.
uint64_t SlotsWorthwhile(const std::vector<StreamUnit>& units) {
  uint64_t bytes = 0;
  uint64_t largest = 1;
  for (const StreamUnit& unit : units) {
    bytes += unit.bytes;
    largest = std::max(largest, unit.bytes);
  }
  return std::max<uint64_t>(bytes / largest, 1);
}

}  // namespace

uint64_t StreamPlan::disk_bytes(size_t disk) const {
  uint64_t bytes = 0;
  for (size_t path = 0; path < path_disk.size(); ++path) {
    if (path_disk[path] == disk) bytes += path_bytes[path];
  }
  return bytes;
}

uint64_t DefaultSlotCount(const PackReader& pack) {
  size_t parts = 0;
  for (size_t i = 0; i < pack.layer_count(); ++i) {
    parts = std::max(parts, pack.layer(i).parts.size());
  }
  return kSlotsOfOnePath + (pack.layer_files().size() - 1) * parts;
}

StreamPlan PlanStream(const PackReader& pack, uint64_t slot_count, uint64_t kept_bytes_max,
                      const LayerRange& layers) {
  StreamPlan plan;
  plan.layers = layers.Of(static_cast<int64_t>(pack.layer_count()));
  const auto first = static_cast<size_t>(plan.layers.first);
  const auto end = static_cast<size_t>(plan.layers.end);
  std::vector<Choice> layers_there;
  for (size_t i = first; i < end; ++i) {
    layers_there.push_back({pack.layer_path(i), pack.layer(i).bytes()});
  }
  plan.kept = KeepOfEachPath(layers_there, kept_bytes_max);
  for (size_t i = first; i < end; ++i) {
    plan.first_unit.push_back(plan.units.size());
    for (size_t p = 0; p < pack.layer(i).parts.size(); ++p) {
      const PartInfo& part = pack.layer(i).parts[p];
      plan.units.push_back({.layer = i,
                            .part = p,
                            .path = pack.layer_path(i),
                            .kept = plan.kept[i - first],
                            .offset = part.offset,
                            .bytes = part.bytes});
    }
  }
  KeepParts(kept_bytes_max - BytesKept(plan), plan);
  plan.kept_bytes = BytesKept(plan);
  plan.path_bytes.resize(pack.layer_files().size());
  plan.path_disk = pack.layer_disks();
  for (const StreamUnit& unit : plan.units) {
    if (unit.kept) continue;
    plan.bytes_per_sweep += unit.bytes;
    plan.path_bytes[unit.path] += unit.bytes;
    plan.slot_bytes = std::max(plan.slot_bytes, unit.bytes);
  }
  if (slot_count == 0) slot_count = DefaultSlotCount(pack);
  plan.slot_count = plan.slot_bytes > 0 ? std::min(slot_count, SlotsWorthwhile(plan.units)) : 0;
  return plan;
}

}  // namespace longtake
