// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/checked.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/linear_cut.h"

namespace longtake {
namespace {

// Two fused multiply-adds of sixteen lanes per row of a panel and unit of in_features; about ten
// cycles to widen and transpose one of its rows, a quarter to copy one of the input.
constexpr LinearCosts kCosts = {.tile_rows = kLinearRowsMax,
                                .panels_max = kLinearGroupColumns / kLinearColumns,
                                .pack = 5.0,
                                .copy = 0.125};

}  // namespace

void CpuBackend::Linear(const LinearArgs& args) {
  const Weight& weight = args.weight;
  LT_CHECK(args.rows >= 0 && weight.in_features > 0 && weight.out_features > 0);
  LT_CHECK(
      weight.dtype == DType::kF32 || weight.dtype == DType::kBf16 ||
      (weight.dtype == DType::kI8 && weight.scales && weight.in_features <= kInt8InFeaturesMax));
  if (args.rows == 0) return;
  if (weight.dtype == DType::kI8) return NarrowLinear(args, int8_ops_);
  if (weight.dtype == DType::kBf16 && bf16_ops_.linear != nullptr) {
    return NarrowLinear(args, bf16_ops_);
  }
  const LinearCut cut =
      ChooseLinearCut(args.rows, weight.out_features, workers_.thread_count(), kCosts);
  const int64_t group = cut.panels * kLinearColumns;
  const int64_t groups = CeilDiv(weight.out_features, group);
  workers_.ParallelFor(groups * cut.row_parts, [&](int64_t index, int worker) {
    const int64_t column = index % groups * group;
    const int64_t part = index / groups;
    const int64_t row = args.rows * part / cut.row_parts;
    kernels_.linear({.in = args.in.address() + row * weight.in_features,
                     .rows = args.rows * (part + 1) / cut.row_parts - row,
                     .weight = weight.data.address(),
                     .weight_is_bf16 = weight.dtype == DType::kBf16,
                     .in_features = weight.in_features,
                     .out_features = weight.out_features,
                     .column_begin = column,
                     .column_end = std::min(column + group, weight.out_features),
                     .bias = args.bias.address(),
                     .activation = ToKernel(args.activation),
                     .out = args.out.address() + row * weight.out_features,
                     .scratch = Scratch(worker)});
  });
}

}  // namespace longtake
