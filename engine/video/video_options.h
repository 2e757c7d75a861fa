// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a packed model is opened: a plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/core_set.h"
#include "base/dtype.h"
#include "base/memory_populator.h"
#include "base/trace.h"
#include "storage/stream/layer_range.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

// One stage of the transformer (engine/video/layer_stage.h).
struct ModelStage {
  LayerRange layers;
  std::optional<CoreSet> cores = {};  // of workers of its own; empty: the model's
  bool stays_on_cores = true;         // those workers, and no other stage's
  // Layers kept in its memory, the text encoder's after the first stage's; empty: what the stages
  // before leave of the model's.
  std::optional<uint64_t> kept_bytes_max = {};
  std::vector<std::string> layer_paths = {};  // with twins of the pack; empty: the model's
};

struct VideoModelOptions {
  // Of one prompt, </s> included; a session's text memory is for so many.
  int64_t prompt_tokens_max = 512;
  int64_t tokens_max = 32768;                   // rows of one sweep, all sessions together
  uint64_t kept_bytes_max = uint64_t{1} << 40;  // layers kept in memory, transformer first
  std::vector<std::string> layer_paths = {};  // with twins of the pack; empty: from the pack itself
  // In the order of their layers, which are all of the model's; empty: one stage with all of them.
  std::vector<ModelStage> stages = {};
  // Of each stack's stream; 0: what the stream plan has for that stack.
  size_t slot_count = 0;  // of each stage of the transformer
  size_t text_slot_count = 0;
  uint64_t request_bytes = LayerStream::Options().request_bytes;
  IoChoice io = IoChoice::kAuto;
  int64_t read_timeout_nanos = LayerStream::Options().read_timeout_nanos;
  DType kv_dtype = DType::kBf16;
  bool with_encoder = true;         // so that takes can begin with given frames
  std::string numerics_profile;     // of the sweeps; "" is the default (engine/backend/backend.h)
  std::string instruction_set_max;  // for tests
  bool device_has_memory = false;   // of its own, so that the plan counts it apart
  Trace* trace = nullptr;           // outlives the model
  const MemoryPopulator* populator = nullptr;  // of what Open takes; null: the caller's thread
};

// Where a stage of these options has its layers from.
inline const std::vector<std::string>& PathsOf(const ModelStage& stage,
                                               const VideoModelOptions& options) {
  return stage.layer_paths.empty() ? options.layer_paths : stage.layer_paths;
}

}  // namespace longtake
