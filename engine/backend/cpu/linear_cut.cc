// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/linear_cut.h"

#include <algorithm>

#include "base/checked.h"

namespace longtake {

LinearCut ChooseLinearCut(int64_t rows, int64_t columns, int threads, const LinearCosts& costs) {
  const int64_t panels = CeilDiv(columns, kLinearColumns);
  const int64_t row_tiles = CeilDiv(rows, costs.tile_rows);
  LinearCut best;
  double best_cost = 0;
  for (int64_t group = 1; group <= costs.panels_max; ++group) {
    for (int64_t parts = 1; parts <= std::min<int64_t>(row_tiles, 2 * threads); ++parts) {
      const double part_rows = static_cast<double>(rows) / static_cast<double>(parts);
      const double task =
          static_cast<double>(group) * (part_rows + costs.pack) + part_rows * costs.copy + 2.5;
      const int64_t rounds = CeilDiv(CeilDiv(panels, group) * parts, threads);
      // The quarter stands for workers that do not run at the same speed.
      const double cost = (static_cast<double>(rounds) + 0.25) * task;
      if (best_cost != 0 && cost >= best_cost) continue;
      best_cost = cost;
      best = {.panels = group, .row_parts = parts};
    }
  }
  return best;
}

LinearActivation ToKernel(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return LinearActivation::kNone;
    case Activation::kGeluTanh:
      return LinearActivation::kGeluTanh;
    case Activation::kSilu:
      return LinearActivation::kSilu;
  }
  return LinearActivation::kNone;
}

}  // namespace longtake
