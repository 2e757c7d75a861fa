// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/key_plan.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

// Back and forth over [0, period): 0 1 .. N-1 N-1 .. 1 0 0 1 .. (spec 3.6, tri).
int64_t PingPong(int64_t position, int64_t period) {
  const int64_t offset = position % period;
  return (position / period) % 2 == 0 ? offset : period - 1 - offset;
}

// RoPE sees differences only, so the window may as well start at index 0 for every chunk.
void RenumberByPosition(KeyPlan& plan) {
  int64_t position = 0;
  for (PlannedKey& key : plan.keys) key.rope_index = position++;
  for (int64_t& index : plan.query_index) index = position++;
}

void AppendOwn(int64_t begin, int64_t end, std::vector<PlannedKey>& keys) {
  for (int64_t frame = begin; frame < end; ++frame) keys.push_back({frame, frame});
}

}  // namespace

absl::StatusOr<KeyPlanKind> ParseKeyPlanKind(std::string_view name) {
  for (KeyPlanKind kind : {KeyPlanKind::kGlobal, KeyPlanKind::kWindow, KeyPlanKind::kSlotWindow,
                           KeyPlanKind::kRollingSink}) {
    if (name == KeyPlanKindName(kind)) return kind;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "key_plan '", std::string(name), "' is not global, window, slot_window or rolling_sink"));
}

std::string_view KeyPlanKindName(KeyPlanKind kind) {
  switch (kind) {
    case KeyPlanKind::kGlobal:
      return "global";
    case KeyPlanKind::kWindow:
      return "window";
    case KeyPlanKind::kSlotWindow:
      return "slot_window";
    case KeyPlanKind::kRollingSink:
      return "rolling_sink";
  }
  return "?";
}

bool HasSink(KeyPlanKind kind) {
  return kind == KeyPlanKind::kWindow || kind == KeyPlanKind::kSlotWindow;
}

absl::Status ValidateKeyPlan(const KeyPlanSpec& spec, int64_t chunk_frames) {
  if (spec.window_frames < 1 || spec.window_frames > kWindowFramesMax) {
    return absl::InvalidArgumentError(absl::StrCat("window_frames ", spec.window_frames,
                                                   " is outside [1, ", kWindowFramesMax, "]"));
  }
  if (spec.sink_frames < 0 || spec.sink_frames > kWindowFramesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sink_frames ", spec.sink_frames, " is outside [0, ", kWindowFramesMax, "]"));
  }
  if (spec.window_frames < chunk_frames + spec.sink_frames) {
    return absl::InvalidArgumentError(absl::StrCat("window_frames ", spec.window_frames,
                                                   " is smaller than a chunk of ", chunk_frames,
                                                   " and ", spec.sink_frames, " sink frames"));
  }
  if (spec.sink_frames != 0 && !HasSink(spec.kind)) {
    return absl::InvalidArgumentError(absl::StrCat("sink_frames must be 0 for key_plan ",
                                                   std::string(KeyPlanKindName(spec.kind))));
  }
  if (spec.kind == KeyPlanKind::kRollingSink &&
      (spec.window_frames % chunk_frames != 0 || spec.window_frames < 3 * chunk_frames)) {
    return absl::InvalidArgumentError(
        "window_frames of a rolling_sink must be at least three chunks and a whole number of them");
  }
  return absl::OkStatus();
}

KeyPlan PlanKeys(const KeyPlanSpec& spec, int64_t start, int64_t chunk_frames) {
  KeyPlan plan;
  const int64_t end = start + chunk_frames;
  for (int64_t frame = start; frame < end; ++frame) plan.query_index.push_back(frame);
  if (end <= spec.window_frames) {
    AppendOwn(0, start, plan.keys);
    return plan;
  }
  LT_CHECK(spec.kind != KeyPlanKind::kGlobal);
  if (HasSink(spec.kind)) {
    AppendOwn(spec.sink_start, spec.sink_start + spec.sink_frames, plan.keys);
    AppendOwn(end - (spec.window_frames - spec.sink_frames), start, plan.keys);
    if (spec.kind == KeyPlanKind::kSlotWindow) RenumberByPosition(plan);
    return plan;
  }
  const int64_t history = spec.window_frames - chunk_frames;
  for (int64_t index = start - history; index < start - chunk_frames; ++index) {
    plan.keys.push_back({PingPong(index, history), index});
  }
  AppendOwn(start - chunk_frames, start, plan.keys);
  return plan;
}

RecachePlan PlanRecache(const KeyPlanSpec& spec, int64_t start, bool keep_sink) {
  LT_CHECK(HasSink(spec.kind) && start > 0);
  RecachePlan out;
  out.sink_start_new = spec.sink_start;
  out.first = std::max<int64_t>(0, start - spec.window_frames);
  if (start > spec.window_frames) {
    if (keep_sink) {
      out.first += spec.sink_frames;
      AppendOwn(spec.sink_start, spec.sink_start + spec.sink_frames, out.plan.keys);
    } else {
      out.sink_start_new = out.first;
    }
  }
  for (int64_t frame = out.first; frame < start; ++frame) out.plan.query_index.push_back(frame);
  if (spec.kind == KeyPlanKind::kSlotWindow) RenumberByPosition(out.plan);
  return out;
}

bool FrameNeeded(const KeyPlanSpec& spec, int64_t frame, int64_t next_start, int64_t chunk_frames) {
  const int64_t end = next_start + chunk_frames;
  if (end <= spec.window_frames) return true;
  switch (spec.kind) {
    case KeyPlanKind::kGlobal:
      return false;
    case KeyPlanKind::kWindow:
    case KeyPlanKind::kSlotWindow:
      return (frame >= spec.sink_start && frame < spec.sink_start + spec.sink_frames) ||
             frame >= end - (spec.window_frames - spec.sink_frames);
    case KeyPlanKind::kRollingSink:
      return frame < spec.window_frames - chunk_frames || frame >= next_start - chunk_frames;
  }
  return true;
}

int64_t FramesHeldMax(const KeyPlanSpec& spec, int64_t chunk_frames) {
  // A rolling sink keeps its history for ever, beside the previous chunk and the one being written.
  const int64_t extra = spec.kind == KeyPlanKind::kRollingSink ? chunk_frames : 0;
  return spec.window_frames + extra;
}

int64_t FrameLimit(const KeyPlanSpec& spec) {
  return spec.kind == KeyPlanKind::kGlobal ? spec.window_frames : 0;
}

}  // namespace longtake
