// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a take stands between two chunks: all that a rollout needs, beside its spec, its texts and
// the K/V it names, to go on with the same bits. A plain value: copy it, compare it, write it down.
#pragma once

#include <cstdint>
#include <deque>
#include <iterator>
#include <set>
#include <vector>

#include "base/status_macros.h"
#include "engine/take/latents.h"
#include "engine/video/rollout_shape.h"

namespace longtake {

// A chunk on its way from noise.
struct ChunkInWork {
  int64_t index = 0;
  int64_t step = 0;  // of the levels
  Latents x = {};
  friend bool operator==(const ChunkInWork&, const ChunkInWork&) = default;
};

struct RolloutState {
  int64_t chunk = 0;  // the next to be finished
  // Of the last chunks before it, which wait for their clean pass. More than one waits only where
  // several were given.
  std::deque<Latents> unwritten = {};
  // Whether clean passes wait that use the previous prompt.
  bool old_text = false;
  // Latent frames whose K/V is held, per guidance branch.
  std::vector<std::set<int64_t>> frames;
  // The chunks it begins with and has not finished yet, and whether they have come.
  std::deque<Latents> start = {};
  bool has_start = false;
  // Of chunk rollouts: where the sink of the first branch begins, which a prompt may move; whether
  // the window's K/V is to be made again first; and the latents that needs, a frame each, the last
  // one latest.
  int64_t sink_start = 0;
  bool recache = false;
  std::deque<Latents> recent = {};
  // Of rolling rollouts, oldest first. The oldest is the next to be finished.
  std::deque<ChunkInWork> in_work = {};

  // Chunks that had their clean pass, or need none.
  int64_t written() const { return chunk - std::ssize(unwritten); }
  friend bool operator==(const RolloutState&, const RolloutState&) = default;
};

// Whether they are of so many frames of this spec's.
bool IsLatents(const RolloutSpec& spec, const Latents& latents, int64_t frames);

// Whether a rollout of this spec can go on from it: sizes and ranges, not what the latents say, nor
// which frames are held. INVALID_ARGUMENT names the field.
absl::Status CheckRolloutState(const RolloutSpec& spec, const RolloutState& state);

}  // namespace longtake
