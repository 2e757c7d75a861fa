// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/checked.h"
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {
namespace {

struct Cut {
  int64_t group_columns = kLinearGroupColumns;
  int64_t row_parts = 1;
};

// How to cut rows x columns into tasks. Wide groups copy the input less often, few row parts widen
// the weights less often, many tasks keep all workers busy until the end. Costs are in cycles per
// unit of in_features: two fused multiply-adds of sixteen lanes per row of a 32-column panel, about
// ten to widen and transpose one of its rows. Bits do not depend on the outcome.
Cut ChooseCut(int64_t rows, int64_t columns, int threads) {
  const int64_t panels = CeilDiv(columns, kLinearColumns);
  const int64_t row_tiles = CeilDiv(rows, kLinearRowsMax);
  Cut best;
  double best_cost = 0;
  for (int64_t group = 1; group <= kLinearGroupColumns / kLinearColumns; ++group) {
    for (int64_t parts = 1; parts <= std::min<int64_t>(row_tiles, 2 * threads); ++parts) {
      const double part_rows = static_cast<double>(rows) / static_cast<double>(parts);
      const double task = static_cast<double>(group) * (2 * part_rows + 10) + part_rows / 4 + 5;
      const int64_t rounds = CeilDiv(CeilDiv(panels, group) * parts, threads);
      // The quarter stands for workers that do not run at the same speed.
      const double cost = (static_cast<double>(rounds) + 0.25) * task;
      if (best_cost != 0 && cost >= best_cost) continue;
      best_cost = cost;
      best = {.group_columns = group * kLinearColumns, .row_parts = parts};
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

}  // namespace

void CpuBackend::Linear(const LinearArgs& args) {
  const Weight& weight = args.weight;
  LT_CHECK(args.rows >= 0 && weight.in_features > 0 && weight.out_features > 0);
  LT_CHECK(weight.dtype == DType::kF32 || weight.dtype == DType::kBf16);
  if (args.rows == 0) return;
  const Cut cut = ChooseCut(args.rows, weight.out_features, workers_.thread_count());
  const int64_t groups = CeilDiv(weight.out_features, cut.group_columns);
  workers_.ParallelFor(groups * cut.row_parts, [&](int64_t index, int worker) {
    const int64_t column = index % groups * cut.group_columns;
    const int64_t part = index / groups;
    const int64_t row = args.rows * part / cut.row_parts;
    kernels_.linear({.in = args.in + row * weight.in_features,
                     .rows = args.rows * (part + 1) / cut.row_parts - row,
                     .weight = weight.data,
                     .weight_is_bf16 = weight.dtype == DType::kBf16,
                     .in_features = weight.in_features,
                     .out_features = weight.out_features,
                     .column_begin = column,
                     .column_end = std::min(column + cut.group_columns, weight.out_features),
                     .bias = args.bias,
                     .activation = ToKernel(args.activation),
                     .out = args.out + row * weight.out_features,
                     .scratch = Scratch(worker, kLinearScratchFloats)});
  });
}

}  // namespace longtake
