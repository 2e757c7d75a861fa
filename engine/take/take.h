// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One session's generation, whatever it makes, as those who schedule see it: chunk after chunk,
// each in some sweeps, with a boundary before it at which events may be applied.
//
// What differs in type from one kind of take to another is not here: its items, which are its
// stack's (engine/model/sweep_stack.h), its texts, which are keys and values of that stack, and its
// state, which is saved. Whoever handles those knows the kind. Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

#include "base/status_macros.h"
#include "engine/take/latents.h"

namespace longtake {

// What a take makes: the latents of one chunk.
struct FinishedChunk {
  int64_t index = 0;
  Latents latents;
};

// What a take brings to a sweep.
struct SweepNeeds {
  int64_t rows = 0;       // of its items
  int64_t text_rows = 0;  // of prompts that no sweep has seen yet
  // Bytes of one layer's K/V as a K/V file holds it: of one frame; of all frames that its items
  // attend to, at most; of those that they write, at most.
  uint64_t kv_frame_bytes = 0;
  uint64_t kv_read_bytes = 0;
  uint64_t kv_written_bytes = 0;
  bool chained = false;  // some of its items attend to what others of them write
};

class Take {
 public:
  virtual ~Take() = default;

  // The next chunk to be finished.
  virtual int64_t chunk() const = 0;
  virtual bool done() const = 0;
  // Whether events may be applied now: nothing of the next chunk was settled yet. Its state can be
  // written down then, and gone on from.
  virtual bool at_chunk_start() const = 0;
  // Whether its texts, and what else it begins with, are there.
  virtual bool has_inputs() const = 0;
  // The next chunk when it is one of those it was given, which are finished without a sweep. After
  // each there is a chunk's start like any other. They are all taken before a sweep.
  virtual std::optional<FinishedChunk> TakeGiven() = 0;

  // Of the next sweep: as much as it has to do and fits rows_max, or the least it can do.
  virtual SweepNeeds needs(int64_t rows_max) const = 0;
  // The sweep that its items were made for is done. Returns the chunk that it finished, if it
  // finished one. INTERNAL when the model produced a value that is not finite.
  virtual absl::StatusOr<std::optional<FinishedChunk>> Settle() = 0;

  // Sweeps until its next chunk is finished, the one that is planned or in work among them.
  virtual int64_t sweeps_left() const = 0;

  // Guidance branches, and the latent frames whose K/V one of them holds; they change when a prompt
  // does, in Settle and in TakeGiven. None where nothing is remembered that way.
  virtual size_t branch_count() const = 0;
  virtual const std::set<int64_t>& frames(size_t branch) const = 0;
};

}  // namespace longtake
