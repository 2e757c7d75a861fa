// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/items.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

absl::Status Bad(size_t index, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat("item ", index, ": ", problem));
}

bool Matches(const KvFrame* frame, const KvLayout& layout) {
  return frame != nullptr && !frame->empty() && frame->layout().layers == layout.layers &&
         frame->layout().rows == layout.rows && frame->layout().width == layout.width &&
         frame->layout().dtype == layout.dtype;
}

absl::Status CheckSizes(const VideoItem& item, size_t index, int64_t tokens_max) {
  if (item.frames < 1 || item.height < 1 || item.width < 1 || item.height % kPatchSide != 0 ||
      item.width % kPatchSide != 0) {
    return Bad(index, "frames must be positive, height and width positive and even");
  }
  // Each factor is bounded by what is left, so that the product cannot overflow.
  const TokenGrid grid = item.grid();
  if (item.frames > tokens_max || grid.height > tokens_max / item.frames ||
      grid.width > tokens_max / item.frames / grid.height) {
    return absl::ResourceExhaustedError(
        absl::StrCat("item ", index, ": more than ", tokens_max, " tokens"));
  }
  const auto frames = static_cast<size_t>(item.frames);
  if (item.timesteps.size() != frames) return Bad(index, "timesteps: one per frame");
  if (item.query_index.size() != frames) return Bad(index, "query_index: one per frame");
  if (!item.writes.empty() && item.writes.size() != frames) {
    return Bad(index, "writes: one per frame, or none");
  }
  return absl::OkStatus();
}

absl::Status CheckItem(const WanCore& core, const VideoItem& item, size_t index) {
  LT_RETURN_IF_ERROR(CheckSizes(item, index, core.options.tokens_max));
  if (item.latents == nullptr) return Bad(index, "latents missing");
  for (float timestep : item.timesteps) {
    if (!std::isfinite(timestep)) return Bad(index, "timesteps: not finite");
  }
  const KvLayout layout{.layers = core.layers.count(),
                        .rows = item.grid().tokens(),
                        .width = core.config.width(),
                        .dtype = core.options.kv_dtype};
  for (const ContextFrame& context : item.context) {
    if (!Matches(context.frame, layout)) return Bad(index, "context: frame of another shape");
  }
  for (const KvFrame* frame : item.writes) {
    if (frame != nullptr && !Matches(frame, layout)) {
      return Bad(index, "writes: frame of another shape");
    }
  }
  if (item.text == nullptr) return Bad(index, "text missing");
  const TextContextShape& text = item.text->shape();
  if (text.layers != core.layers.count() || text.width != core.config.width() ||
      text.text_dim != core.config.text_dim) {
    return Bad(index, "text: context of another model");
  }
  return absl::OkStatus();
}

// The row of a timestep, added when new.
int64_t TimeRow(float timestep, WanStack& stack) {
  const auto found = std::find(stack.timesteps.begin(), stack.timesteps.end(), timestep);
  const int64_t row = found - stack.timesteps.begin();
  if (found == stack.timesteps.end()) stack.timesteps.push_back(timestep);
  return row;
}

void AddRuns(const PlacedItem& item, WanStack& stack) {
  const size_t first = stack.runs.size();
  for (int64_t frame = 0; frame < item.video.frames; ++frame) {
    const int64_t time_row = TimeRow(item.video.timesteps[static_cast<size_t>(frame)], stack);
    if (stack.runs.size() > first && stack.runs.back().time_row == time_row) {
      stack.runs.back().rows += item.frame_rows;
    } else {
      stack.runs.push_back({item.row + frame * item.frame_rows, item.frame_rows, time_row});
    }
  }
}

void AddText(TextContext* text, WanStack& stack) {
  if (text->ready()) return;
  if (std::find(stack.new_texts.begin(), stack.new_texts.end(), text) != stack.new_texts.end()) {
    return;
  }
  stack.new_texts.push_back(text);
  stack.text_rows += text->rows();
}

absl::Status Place(WanCore& core, const VideoItem& video, WanStack& stack) {
  const TokenGrid grid = video.grid();
  PlacedItem item{.video = video,
                  .row = stack.rows,
                  .frame_rows = grid.tokens(),
                  .frame_rotary = {},
                  .context_rotary = {}};
  for (int64_t index : video.query_index) {
    LT_ASSIGN_OR_RETURN(item.frame_rotary.emplace_back(), core.rotary.Get(grid, index));
  }
  for (const ContextFrame& context : video.context) {
    LT_ASSIGN_OR_RETURN(item.context_rotary.emplace_back(),
                        core.rotary.Get(grid, context.rope_index));
  }
  stack.rows += item.rows();
  if (video.flow != nullptr) stack.flow_rows = stack.rows;
  AddRuns(item, stack);
  AddText(video.text, stack);
  stack.items.push_back(std::move(item));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WanStack> PlaceItems(WanCore& core, std::span<const VideoItem> items) {
  if (items.empty()) return absl::InvalidArgumentError("a sweep without items");
  int64_t tokens = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    LT_RETURN_IF_ERROR(CheckItem(core, items[i], i));
    tokens += items[i].tokens();
    if (tokens > core.options.tokens_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a sweep of more than ", core.options.tokens_max, " tokens"));
    }
  }
  core.rotary.BeginSweep();
  WanStack stack;
  for (const VideoItem& video : items) {
    if (video.flow != nullptr) LT_RETURN_IF_ERROR(Place(core, video, stack));
  }
  for (const VideoItem& video : items) {
    if (video.flow == nullptr) LT_RETURN_IF_ERROR(Place(core, video, stack));
  }
  if (stack.text_rows > core.options.prompt_rows_max) {
    return absl::ResourceExhaustedError(absl::StrCat("new prompts of ", stack.text_rows,
                                                     " rows in one sweep, at most ",
                                                     core.options.prompt_rows_max));
  }
  return stack;
}

}  // namespace longtake
