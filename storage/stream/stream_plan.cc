// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/stream_plan.h"

#include <algorithm>

#include "storage/stream/spread.h"

namespace longtake {
namespace {

uint64_t BytesKept(const StreamPlan& plan) {
  uint64_t bytes = 0;
  for (const StreamUnit& unit : plan.units) bytes += unit.kept ? unit.bytes : 0;
  return bytes;
}

// Up to a layer may be left, which can be a good part of what would be read.
void KeepParts(uint64_t bytes_max, StreamPlan& plan) {
  std::vector<StreamUnit*> streamed;
  std::vector<uint64_t> bytes;
  for (StreamUnit& unit : plan.units) {
    if (unit.kept) continue;
    streamed.push_back(&unit);
    bytes.push_back(unit.bytes);
  }
  const std::vector<bool> kept = PlanKept(bytes, bytes_max);
  for (size_t i = 0; i < kept.size(); ++i) streamed[i]->kept = kept[i];
  plan.kept_part_count = static_cast<uint64_t>(std::count(kept.begin(), kept.end(), true));
}

}  // namespace

StreamPlan PlanStream(const PackReader& pack, uint64_t slot_count, uint64_t kept_bytes_max,
                      const LayerRange& layers) {
  StreamPlan plan;
  plan.layers = layers.Of(static_cast<int64_t>(pack.layer_count()));
  const auto first = static_cast<size_t>(plan.layers.first);
  const auto end = static_cast<size_t>(plan.layers.end);
  std::vector<uint64_t> layer_bytes;
  for (size_t i = first; i < end; ++i) layer_bytes.push_back(pack.layer(i).bytes());
  plan.kept = PlanKept(layer_bytes, kept_bytes_max);
  for (size_t i = first; i < end; ++i) {
    plan.first_unit.push_back(plan.units.size());
    for (size_t p = 0; p < pack.layer(i).parts.size(); ++p) {
      const PartInfo& part = pack.layer(i).parts[p];
      plan.units.push_back({.layer = i,
                            .part = p,
                            .kept = plan.kept[i - first],
                            .offset = part.offset,
                            .bytes = part.bytes});
    }
  }
  KeepParts(kept_bytes_max - BytesKept(plan), plan);
  plan.kept_bytes = BytesKept(plan);
  for (const StreamUnit& unit : plan.units) {
    if (unit.kept) continue;
    plan.bytes_per_sweep += unit.bytes;
    plan.slot_bytes = std::max(plan.slot_bytes, unit.bytes);
  }
  plan.slot_count = plan.slot_bytes > 0 ? slot_count : 0;
  return plan;
}

}  // namespace longtake
