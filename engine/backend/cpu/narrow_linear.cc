// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Linear with narrow factors, rows in blocks: a block is narrowed once, then meets all weights.
#include <algorithm>

#include "base/checked.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/linear_cut.h"

namespace longtake {
namespace {

// An odd number of cache lines, so that rows side by side do not share few sets of L1.
int64_t RowStride(int64_t bytes) { return (CeilDiv(bytes, kNarrowRunBytes) | 1) * kNarrowRunBytes; }

int64_t AlignRows(int64_t rows) { return CeilDiv(rows, kNarrowRowsAlign) * kNarrowRowsAlign; }

// With its scale.
int64_t RowBytes(int64_t in_features, DType dtype) {
  return RowStride(in_features * static_cast<int64_t>(DTypeBytes(dtype))) +
         static_cast<int64_t>(sizeof(float));
}

}  // namespace

// Weights are packed anew for each block, so blocks are large: even the widest rows of Wan 14B come
// 1200 at a time in bf16.
uint64_t CpuNarrowBytes(int64_t rows, int64_t in_features, DType dtype) {
  const int64_t row = RowBytes(in_features, dtype);
  const int64_t most = std::max(static_cast<int64_t>(kNarrowBytesMax), kNarrowRowsAlign * row);
  if (rows > most / row) return static_cast<uint64_t>(most);
  return static_cast<uint64_t>(std::min(most, AlignRows(rows) * row));
}

void CpuBackend::NarrowLinear(const LinearArgs& args, const NarrowOps& ops) {
  const Weight& weight = args.weight;
  const int64_t stride =
      RowStride(weight.in_features * static_cast<int64_t>(DTypeBytes(weight.dtype)));
  const int64_t row_bytes = RowBytes(weight.in_features, weight.dtype);
  const int64_t rows_max =
      static_cast<int64_t>(narrow_rows_.size()) / row_bytes / kNarrowRowsAlign * kNarrowRowsAlign;
  LT_CHECK(rows_max > 0);  // CpuBackendOptions::narrow_bytes
  const int64_t blocks = CeilDiv(args.rows, rows_max);
  const int64_t rows_each = AlignRows(CeilDiv(args.rows, blocks));
  for (int64_t row = 0; row < args.rows; row += rows_each) {
    const int64_t rows = std::min(rows_each, args.rows - row);
    NarrowBlock(args, ops, {.row = row, .rows = rows, .stride = stride});
  }
}

void CpuBackend::NarrowBlock(const LinearArgs& args, const NarrowOps& ops, const RowBlock& block) {
  const Weight& weight = args.weight;
  const int64_t data_floats = AlignRows(block.rows) * block.stride / 4;
  float* memory = reinterpret_cast<float*>(narrow_rows_.data());
  // From a row that begins a block of rows.
  const auto from = [&](int64_t row) {
    return NarrowRows{
        .data = reinterpret_cast<uint8_t*>(memory) + row * block.stride,
        .stride = block.stride,
        .row_step = ops.in_tiles ? kNarrowRunBytes : block.stride,
        .run_step = ops.in_tiles ? kNarrowRowsAlign * kNarrowRunBytes : kNarrowRunBytes,
        .scales = memory + data_floats + row};
  };
  workers_.ParallelFor(CeilDiv(block.rows, kNarrowRowsAlign), [&](int64_t index, int) {
    const int64_t begin = index * kNarrowRowsAlign;
    ops.narrow({.in = args.in.address() + (block.row + begin) * weight.in_features,
                .rows = std::min(kNarrowRowsAlign, block.rows - begin),
                .in_features = weight.in_features,
                .out = from(begin)});
  });
  const LinearCut cut = ChooseLinearCut(block.rows, weight.out_features, workers_.thread_count(),
                                        {.tile_rows = kNarrowRowsAlign,
                                         .panels_max = kNarrowGroupColumns / kLinearColumns,
                                         .pack = ops.pack_cost,
                                         .copy = ops.copy_cost});
  const int64_t group = cut.panels * kLinearColumns;
  const int64_t groups = CeilDiv(weight.out_features, group);
  const auto part_begin = [&](int64_t part) {
    return std::min(AlignRows(block.rows * part / cut.row_parts), block.rows);
  };
  workers_.ParallelFor(groups * cut.row_parts, [&](int64_t index, int worker) {
    const int64_t column = index % groups * group;
    const int64_t part = index / groups;
    const int64_t begin = part_begin(part);
    ops.linear({.in = from(begin),
                .rows = part_begin(part + 1) - begin,
                .weight = weight.data.address(),
                .weight_scales = weight.scales.address(),
                .in_features = weight.in_features,
                .out_features = weight.out_features,
                .column_begin = column,
                .column_end = std::min(column + group, weight.out_features),
                .bias = args.bias.address(),
                .activation = ToKernel(args.activation),
                .out = args.out.address() + (block.row + begin) * weight.out_features,
                .scratch = Scratch(worker)});
  });
}

}  // namespace longtake
