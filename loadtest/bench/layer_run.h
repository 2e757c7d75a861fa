// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A packed Wan transformer with one chunk's forward ready to run, layer by layer: frames of noise
// at a size, frames of K/V memory before them, a prompt. For benchmarks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/model/wan/transformer.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

struct LayerRunOptions {
  std::string pack;                           // transformer.pack
  std::vector<std::string> layer_paths = {};  // directories with its twins
  int threads = 2;
  int64_t width = 832;
  int64_t height = 480;
  int64_t frames = 3;
  int64_t context = 18;
  int64_t text_tokens = 512;
  int64_t sessions = 1;  // alike, each with a chunk of its own
  LayerStream::Options stream = {.kept_bytes_max = uint64_t{1} << 40};
};

class LayerRun {
 public:
  // The backend must outlive it.
  static absl::StatusOr<std::unique_ptr<LayerRun>> Create(const LayerRunOptions& options,
                                                          Backend& backend);

  // One forward over its own stream. before and after, which may be empty, are called around each
  // layer.
  absl::Status Forward(const std::function<void()>& before,
                       const std::function<void(int64_t layer)>& after);
  // The same over another stream of the same pack.
  absl::Status Forward(LayerStream& stream, const std::function<void()>& before,
                       const std::function<void(int64_t layer)>& after);

  const PackReader& pack() const { return *pack_; }
  LayerStream& stream() { return *stream_; }
  int64_t rows() const;  // of all sessions
  int64_t layers() const { return model_->config().layers; }
  int64_t width() const { return model_->config().width(); }
  // Of one layer, one session; a multiply-add counts as two.
  double LinearOperations() const;
  double AttentionOperations() const;

 private:
  explicit LayerRun(const LayerRunOptions& options)
      : options_(options),
        grid_(LatentGrid::FromPixels(options.width, options.height).WithFrames(options.frames)) {}
  absl::Status Open(Backend& backend);
  absl::Status MakeItem();
  absl::Status MakeMemory(Backend& backend);

  const LayerRunOptions options_;
  const LatentGrid grid_;  // of each item
  std::unique_ptr<PackReader> pack_;
  std::unique_ptr<LayerStream> stream_;
  std::unique_ptr<WanTransformer> model_;
  std::unique_ptr<TextContext> text_;
  std::unique_ptr<KvPool> pool_;
  std::vector<KvFrame> memory_;
  std::vector<ContextFrame> context_;
  std::vector<float> latents_;
  std::vector<std::vector<float>> flows_;  // per session
  std::vector<float> timesteps_;
  std::vector<int64_t> query_index_;
};

}  // namespace longtake
