// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The causal Wan 2.1 video transformer (docs/spec 2 and 3): one forward of one chunk for each item,
// all items of a sweep stacked so that a weight is widened once for all of them. Attention sees an
// item's context frames, from KV memory, and its own frames; nothing else passes between items, so
// an item's bits do not depend on the company it is in.
//
// One thread. The backend outlives the transformer, the transformer its sweeps; one sweep at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/memory_use.h"
#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/kv/kv_memory.h"
#include "engine/kv/kv_stream.h"
#include "engine/model/layer_slots.h"
#include "engine/model/model_sweep.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/text_context.h"
#include "engine/model/wan/token_grid.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_range.h"

namespace longtake {

// A frame attended to, at the time index that the key plan gives it.
struct ContextFrame {
  const KvFrame* frame = nullptr;
  int64_t rope_index = 0;
};

// One forward. Everything is borrowed until the sweep ends.
struct VideoItem {
  const float* latents = nullptr;  // [channels, frames, height, width]
  int64_t frames = 0;
  int64_t height = 0;  // of the latent; even
  int64_t width = 0;
  std::span<const float> timesteps;      // [frames], 0 to 1000, fractions count
  std::span<const int64_t> query_index;  // [frames], time index
  std::span<const ContextFrame> context;
  TextContext* text = nullptr;  // filled by the first sweep that uses it
  // Empty, or for each frame where its K/V is to be written, null where it is not wanted. The item
  // itself attends to its keys and values in fp32; only what is written is rounded.
  std::span<KvFrame* const> writes;
  float* flow = nullptr;  // [channels, frames, height, width], noise - x0; null for a clean pass

  TokenGrid grid() const { return TokenGrid::FromLatents(height, width); }
  int64_t tokens() const { return frames * grid().tokens(); }
};

struct WanTransformerOptions {
  int64_t tokens_max = 0;         // of all items of a sweep
  int64_t prompt_rows_max = 513;  // of all prompts that are new in a sweep: TextContext::rows()
  int64_t text_rows = 512;        // rows of text the model was trained to see
  DType kv_dtype = DType::kBf16;
  LayerRange layers = {};  // this stage's; K/V of frames and texts is of these alone
  LayerSlots::Options slots = {};
  const MemoryPopulator* populator = nullptr;  // of the buffers; null: the caller's thread
};

struct WanCore;

class WanTransformer {
 public:
  // Takes the buffers of all sweeps. FAILED_PRECONDITION or NOT_FOUND names a tensor that is wrong
  // or missing, INVALID_ARGUMENT an option or an empty range of layers, RESOURCE_EXHAUSTED the
  // memory.
  static absl::StatusOr<std::unique_ptr<WanTransformer>> Create(
      const WanConfig& config, ResidentSection resident, Backend& backend,
      const WanTransformerOptions& options);
  // What Create takes beyond the resident section, and the copy of it that a device keeps which
  // has memory of its own. A sweep adds its rotary tables, see
  // RotaryFrameBytes; the rest it allocates is small.
  static absl::StatusOr<MemoryUse> BufferBytes(const WanConfig& config,
                                               const WanTransformerOptions& options);
  ~WanTransformer();

  const WanConfig& config() const;
  const LayerRange& layers() const;
  uint64_t buffer_bytes() const;  // activations of all sweeps, taken at Create
  // K/V of one latent frame of this height and width, in these layers.
  KvLayout kv_layout(int64_t height, int64_t width) const;
  // In whose memory that lies.
  Device& device() const;
  // Rotary table of one latent frame, for each distinct index that a sweep and the sweep before it
  // attend to; under a hundredth of the frame's K/V in the published models.
  uint64_t RotaryFrameBytes(int64_t height, int64_t width) const;

  TextContextShape text_shape(int64_t tokens) const;
  // states [tokens, text_dim] of a prompt.
  absl::StatusOr<std::unique_ptr<TextContext>> NewTextContext(std::span<const float> states,
                                                              int64_t tokens) const;

  // Checks the items against this model. INVALID_ARGUMENT names item and field; RESOURCE_EXHAUSTED
  // when they exceed tokens_max or prompt_rows_max; FAILED_PRECONDITION while a sweep lives. The
  // stream brings and takes frames that live in the K/V file; it outlives the sweep.
  absl::StatusOr<std::unique_ptr<ModelSweep>> NewSweep(std::span<const VideoItem> items,
                                                       KvStream* kv_stream = nullptr);

 private:
  explicit WanTransformer(std::unique_ptr<WanCore> core);
  std::unique_ptr<WanCore> core_;
};

}  // namespace longtake
