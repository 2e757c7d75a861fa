// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_plan.h"

#include <algorithm>

#include "base/checked.h"
#include "engine/backend/cpu/kernels/conv.h"

namespace longtake {
namespace {

constexpr int64_t kTileColumns = 24;
constexpr int64_t kTasksPerThread = 4;
// Rough cycles to lay out one value, and bytes of weights read per cycle: the two costs a larger
// block spreads over more pixels.
constexpr double kPackCycles = 0.6;
constexpr double kWeightBytesPerCycle = 8.0;

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }
int64_t Blocks(int64_t extent, int64_t block) { return (extent + block - 1) / block; }

int64_t InputsPerGroup(std::span<const ConvFrame> frames, int64_t group_frames) {
  size_t inputs = 0;
  for (size_t first = 0; first < frames.size(); first += group_frames) {
    const size_t count = std::min<size_t>(group_frames, frames.size() - first);
    inputs = std::max(inputs, DistinctInputs(frames.subspan(first, count)).size());
  }
  return static_cast<int64_t>(inputs);
}

// Fills what follows from the block sizes.
void Complete(const ConvArgs& args, const PackedConv& weights, ConvPlan& plan) {
  const ConvShape& shape = weights.shape();
  plan.groups = Blocks(static_cast<int64_t>(args.frames.size()), plan.group_frames);
  plan.row_blocks = Blocks(plan.out_h, plan.row_block);
  plan.column_blocks = Blocks(plan.out_w, plan.column_block);
  plan.plane_rows = (plan.row_block - 1) * args.stride + shape.taps_h;
  plan.phases = std::min(args.stride, shape.taps_w);
  // The kernel may read up to a multiple of 4 pixels.
  plan.plane_columns = RoundUp(RoundUp(plan.column_block, 4) + (shape.taps_w - 1) / args.stride, 8);
  // A power of two apart, the channels of a tile would compete for a few cache sets.
  plan.plane_stride = plan.plane_columns % 64 == 0 ? plan.plane_columns + 8 : plan.plane_columns;
  plan.frame_floats = plan.plane_rows * plan.phases * shape.in_channels * plan.plane_stride;
  plan.sums_floats = plan.split_time ? weights.lanes() * plan.row_block * plan.column_block : 0;
  plan.scratch_floats = RoundUp(shape.in_channels, 16) + plan.sums_floats +
                        plan.inputs * plan.frame_floats + kConvOverread;
}

// The most rows whose planes fit, at least one, in equal blocks, few enough to keep threads busy.
int64_t RowBlock(const ConvArgs& args, const PackedConv& weights, ConvPlan plan, int thread_count) {
  plan.row_block = 1;
  Complete(args, weights, plan);
  const int64_t row_floats = plan.sums_floats + plan.inputs * plan.phases *
                                                    weights.shape().in_channels *
                                                    plan.plane_stride * args.stride;
  int64_t rows = plan.out_h;
  if (row_floats > 0) {
    rows = 1 + std::max<int64_t>(0, kConvScratchFloats - plan.scratch_floats) / row_floats;
  }
  const int64_t blocks_min =
      Blocks(kTasksPerThread * thread_count, plan.groups * plan.column_blocks);
  rows = std::clamp<int64_t>(rows, 1, Blocks(plan.out_h, std::min(plan.out_h, blocks_min)));
  return Blocks(plan.out_h, Blocks(plan.out_h, rows));
}

double CyclesPerPixel(const ConvPlan& plan, const PackedConv& weights) {
  const double pixels = static_cast<double>(plan.group_frames * plan.row_block * plan.column_block);
  const int64_t passes = plan.split_time ? weights.shape().taps_t : 1;
  const double packed = static_cast<double>(passes * plan.inputs * plan.frame_floats +
                                            (passes - 1) * plan.sums_floats);
  const double weight_bytes =
      4.0 * static_cast<double>(weights.taps() * weights.shape().in_channels * weights.lanes());
  return (packed * kPackCycles + weight_bytes / kWeightBytesPerCycle) / pixels;
}

bool Better(const ConvPlan& a, const ConvPlan& b, const PackedConv& weights) {
  const bool a_fits = a.scratch_floats <= kConvScratchFloats;
  const bool b_fits = b.scratch_floats <= kConvScratchFloats;
  if (a_fits != b_fits) return a_fits;
  if (!a_fits) return a.scratch_floats < b.scratch_floats;
  return CyclesPerPixel(a, weights) < CyclesPerPixel(b, weights);
}

bool MaySplitTime(const PackedConv& weights) {
  return weights.shape().taps_t > 1 && weights.panels().back().lanes == kConvSumLanes;
}

// Of the smallest block.
int64_t LeastScratchFloats(const PackedConv& weights, int64_t stride, bool split_time) {
  ConvPlan plan;
  plan.column_block = kTileColumns;
  plan.split_time = split_time;
  plan.inputs = split_time ? 1 : weights.shape().taps_t;
  ConvArgs args;
  args.stride = stride;
  Complete(args, weights, plan);
  return plan.scratch_floats;
}

}  // namespace

int64_t ConvScratchFloatsMax(const PackedConv& weights) {
  int64_t most = kConvScratchFloats;
  for (const int64_t stride : {1, 2}) {
    int64_t least = LeastScratchFloats(weights, stride, false);
    if (MaySplitTime(weights)) least = std::min(least, LeastScratchFloats(weights, stride, true));
    most = std::max(most, least);
  }
  return most;
}

std::vector<const float*> DistinctInputs(std::span<const ConvFrame> frames) {
  std::vector<const float*> inputs;
  for (const ConvFrame& frame : frames) {
    for (const DevicePtr<const float> in : frame.in) {
      if (!in) continue;
      const float* input = in.address();
      if (std::find(inputs.begin(), inputs.end(), input) == inputs.end()) inputs.push_back(input);
    }
  }
  return inputs;
}

ConvPlan PlanConv(const ConvArgs& args, const PackedConv& weights, int thread_count) {
  const ConvShape& shape = weights.shape();
  ConvPlan base;
  base.in_h = args.upsample ? 2 * args.in_h : args.in_h;
  base.in_w = args.upsample ? 2 * args.in_w : args.in_w;
  base.out_h = (base.in_h + args.pad_top + args.pad_bottom - shape.taps_h) / args.stride + 1;
  base.out_w = (base.in_w + args.pad_left + args.pad_right - shape.taps_w) / args.stride + 1;
  LT_CHECK(base.out_h > 0 && base.out_w > 0);

  ConvPlan best;
  const int64_t tiles = Blocks(base.out_w, kTileColumns);
  const auto consider = [&] {
    for (int64_t parts = 1; parts <= tiles; ++parts) {
      ConvPlan plan = base;
      plan.column_block = std::min(base.out_w, kTileColumns * Blocks(tiles, parts));
      plan.row_block = RowBlock(args, weights, plan, thread_count);
      Complete(args, weights, plan);
      if (best.out_h == 0 || Better(plan, best, weights)) best = plan;
    }
  };
  for (int64_t group = static_cast<int64_t>(args.frames.size()); group > 0; group /= 2) {
    base.group_frames = group;
    base.inputs = InputsPerGroup(args.frames, group);
    consider();
  }
  if (MaySplitTime(weights)) {
    base.split_time = true;
    base.group_frames = 1;
    base.inputs = 1;
    consider();
  }
  return best;
}

}  // namespace longtake
