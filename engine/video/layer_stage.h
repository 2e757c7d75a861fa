// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stage's part of the video transformer: some of its layers, the stream that brings them, and
// what computes them. The K/V of these layers is in a table beside it (engine/kv/kv_table.h).
//
// One thread; the pack outlives the stage, the stage its sweeps.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "engine/model/wan/transformer.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class LayerStage {
 public:
  // What a stage computes with.
  struct Machine {
    std::unique_ptr<WorkerPool> workers;  // its own; null: somebody's who outlives the stage
    std::unique_ptr<Backend> backend;     // on them
    int thread_count = 0;                 // of whichever they are
  };
  struct Options {
    WanTransformerOptions transformer;  // with the range of layers
    LayerStream::Options stream;        // whose range is set from that
  };

  // Takes all of its memory. Errors as WanTransformer::Create and LayerStream::Open.
  static absl::StatusOr<std::unique_ptr<LayerStage>> Open(const PackReader& pack,
                                                          const WanConfig& config, Machine machine,
                                                          const Options& options);

  const LayerRange& range() const { return transformer_->layers(); }
  Backend& backend() const { return *machine_.backend; }
  int thread_count() const { return machine_.thread_count; }
  WanTransformer& transformer() { return *transformer_; }
  const WanTransformer& transformer() const { return *transformer_; }
  LayerStream& layers() { return *layers_; }
  const LayerStream& layers() const { return *layers_; }
  uint64_t resident_bytes() const { return resident_bytes_; }
  // For what comes from the stage before: no memory of the first one's, else taken at Open.
  std::vector<float>& received() { return received_; }

 private:
  LayerStage(Machine machine, std::unique_ptr<WanTransformer> transformer,
             std::unique_ptr<LayerStream> layers, uint64_t resident_bytes);

  Machine machine_;  // before what computes with it
  std::unique_ptr<WanTransformer> transformer_;
  std::unique_ptr<LayerStream> layers_;
  const uint64_t resident_bytes_;
  std::vector<float> received_;
};

}  // namespace longtake
