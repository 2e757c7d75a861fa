// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A video model that computes nothing but hashes, behind the interfaces of the real one: a flow is
// the hash of all that its forward sees (latents, timesteps, text, every key and value with its
// time index), K/V is the hash of what led to it, and pixels are the hash of the latents that a
// decoder remembers. So whatever is wrong in a session's past shows in its next chunk, and a chunk
// takes microseconds. All else of the model (recipe, tokenizer, layer streams, sizes) is a small
// real one.
#pragma once

#include <memory>
#include <string>

#include "base/worker_pool.h"
#include "engine/video/video_model.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {

class HashModel final : public VideoModel {
 public:
  // The recipe is of RecipeNames, but of two steps and 16 x 16 pixels.
  static std::unique_ptr<HashModel> Open(const std::string& recipe);

  absl::StatusOr<std::unique_ptr<ModelSweep>> NewVideoSweep(size_t stage,
                                                            std::span<const VideoItem> items,
                                                            KvStream* kv_stream) override;
  absl::StatusOr<std::unique_ptr<ModelSweep>> NewTextSweep(
      std::span<const TextItem> items) override;
  ChunkDecoder& chunk_decoder() override { return *decoder_; }

 private:
  HashModel();

  std::unique_ptr<ScratchPack> scratch_pack_;
  WorkerPool workers_{1};
  const std::unique_ptr<Backend> backend_;
  const std::unique_ptr<ChunkDecoder> decoder_;
};

}  // namespace longtake
