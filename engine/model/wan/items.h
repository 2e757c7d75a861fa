// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The items of a sweep, checked, ordered and placed in the stack; internal to engine/model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/wan/core.h"

namespace longtake {

// One item with its rows of the stack.
struct PlacedItem {
  VideoItem video;
  int64_t row = 0;         // first
  int64_t frame_rows = 0;  // tokens of one frame
  std::vector<DevicePtr<const float>> frame_rotary;
  std::vector<DevicePtr<const float>> context_rotary;

  int64_t rows() const { return video.frames * frame_rows; }
};

// Consecutive rows with the same timestep, of one item.
struct TimeRun {
  int64_t row = 0;
  int64_t rows = 0;
  int64_t time_row = 0;  // of the sweep's timesteps
};

// The rows of a sweep, item after item; not a stack of layers. Items that want a flow come first,
// so that the last block and the head work on the first flow_rows.
struct WanStack {
  std::vector<PlacedItem> items;
  std::vector<TimeRun> runs;
  std::vector<float> timesteps;  // distinct, in order of first appearance
  std::vector<TextContext*> new_texts;
  int64_t rows = 0;
  int64_t flow_rows = 0;
  int64_t text_rows = 0;  // of new_texts
};

// Errors as WanTransformer::NewSweep.
absl::StatusOr<WanStack> PlaceItems(WanCore& core, std::span<const VideoItem> items);

}  // namespace longtake
