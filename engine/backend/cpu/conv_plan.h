// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How one convolution is cut into tasks: blocks of output rows and columns, over a group of output
// frames that share input frames. A task lays its input out as planes (kernels/conv.h) once and
// uses them for every panel of weights. The cut changes time, never bits. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_weights.h"

namespace longtake {

struct ConvPlan {
  int64_t in_h = 0;  // after upsampling
  int64_t in_w = 0;
  int64_t out_h = 0;
  int64_t out_w = 0;

  // Input frames are laid out one at a time, and sums wait in scratch in between: a larger block
  // for the same memory, so that many channels' weights are read less often. One frame per group.
  bool split_time = false;
  int64_t group_frames = 1;
  int64_t groups = 1;
  int64_t row_block = 1;
  int64_t row_blocks = 1;
  int64_t column_block = 1;
  int64_t column_blocks = 1;

  // Planes of one input frame of a task: [plane_rows, phases, in_channels, plane_stride]. With
  // stride s there are up to s phases: columns p, p + s, p + 2s, ... of the padded input.
  int64_t plane_rows = 0;
  int64_t phases = 1;
  int64_t plane_columns = 0;
  int64_t plane_stride = 0;
  int64_t frame_floats = 0;
  int64_t inputs = 0;       // input frames laid out at once, at most
  int64_t sums_floats = 0;  // with split_time: [panels, row_block, column_block, 16]
  int64_t scratch_floats = 0;

  int64_t tasks() const { return groups * row_blocks * column_blocks; }
};

// Planes and a panel of weights share a second-level cache of 1 MiB: a task takes more only where
// its least does.
inline constexpr int64_t kConvScratchFloats = 112 * 1024;

// What a task takes at most, whatever the picture.
int64_t ConvScratchFloatsMax(const PackedConv& weights);

// The distinct frames that are not zeros, in order of first use.
std::vector<const float*> DistinctInputs(std::span<const ConvFrame> frames);

ConvPlan PlanConv(const ConvArgs& args, const PackedConv& weights, int thread_count);

}  // namespace longtake
