// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the engine counts, as plain numbers that only grow unless said otherwise. Copied as a whole;
// the server turns them into metrics.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_stream.h"
#include "engine/serve/sweep.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

// Told how each sweep of the stack with this name (SweepStack::name) went, once it was tried twice;
// one that nobody wanted any more is not told.
using SweepObserver = std::function<void(std::string_view stack, const absl::Status& status)>;

// Where the time of sweeps went on one stage.
struct StageTimes {
  double busy_seconds = 0;        // computed its layers
  double layer_wait_seconds = 0;  // for them, their checksums and K/V of the file
  double row_wait_seconds = 0;    // the rest, in which other stages had the rows
};

struct EngineStats {
  uint64_t sessions_created = 0;
  uint64_t sessions_failed = 0;
  uint64_t sessions_expired = 0;
  uint64_t transformer_sweeps = 0;
  uint64_t text_sweeps = 0;
  uint64_t prompts_encoded = 0;
  uint64_t prompts_known = 0;       // that needed no encoding of their own
  uint64_t prompt_cache_bytes = 0;  // now
  uint64_t sweeps_dropped = 0;      // by cancel or error
  uint64_t items = 0;               // forwards, over all sweeps
  uint64_t item_tokens = 0;
  uint64_t snapshots_refused = 0;  // that found no room on their way to the store
  uint64_t chunks = 0;
  uint64_t frames = 0;
  double transformer_seconds = 0.0;  // in sweeps, waiting for layers included
  double text_seconds = 0.0;
  double decode_seconds = 0.0;
  uint64_t kv_bytes = 0;  // set aside for sessions, now
  uint64_t kv_bytes_max = 0;
  uint64_t session_bytes = 0;          // promised to sessions beside K/V, now
  uint64_t session_device_bytes = 0;   // the same of a device with memory of its own
  uint64_t waiting_starts = 0;         // clips on their way through the encoder
  uint64_t decode_backlog_chunks = 0;  // now
  LayerStream::Stats transformer_layers;
  LayerStream::Stats text_layers;
  std::vector<PathStats> layer_paths;               // of both stacks' layers
  PackReader::Stats text_rows;                      // of prompts' embeddings
  std::vector<LayerTimes> transformer_layer_times;  // per layer
  std::vector<StageTimes> stages;
  // Rows from which a larger sweep is no more efficient; 0: not known yet.
  uint64_t knee_tokens = 0;
  uint64_t kv_file_bytes = 0;  // set aside for sessions, now
  uint64_t kv_file_bytes_max = 0;
  KvStream::Stats kv_stream;
};

}  // namespace longtake
