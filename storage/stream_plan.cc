// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream_plan.h"

#include <algorithm>

#include "storage/residency.h"

namespace longtake {

StreamPlan PlanStream(const PackReader& pack, uint64_t slot_count, uint64_t pinned_bytes_max) {
  StreamPlan plan;
  std::vector<uint64_t> layer_bytes;
  for (size_t i = 0; i < pack.layer_count(); ++i) layer_bytes.push_back(pack.layer(i).bytes());
  plan.pinned = PlanPinnedLayers(layer_bytes, pinned_bytes_max);
  for (size_t i = 0; i < pack.layer_count(); ++i) {
    plan.first_unit.push_back(plan.units.size());
    for (size_t p = 0; p < pack.layer(i).parts.size(); ++p) {
      const PartInfo& part = pack.layer(i).parts[p];
      plan.units.push_back({.layer = i,
                            .part = p,
                            .pinned = plan.pinned[i],
                            .offset = part.offset,
                            .bytes = part.bytes});
      if (plan.pinned[i]) {
        plan.pinned_bytes += part.bytes;
      } else {
        plan.bytes_per_sweep += part.bytes;
        plan.slot_bytes = std::max(plan.slot_bytes, part.bytes);
      }
    }
  }
  plan.slot_count = plan.slot_bytes > 0 ? slot_count : 0;
  return plan;
}

}  // namespace longtake
