// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A packed model, opened and ready: both stacks with their layer streams, the networks between
// latents and pixels, tokenizer and recipe. Owns everything large that does not belong to a
// session; its memory is known at Open. The engine thread uses the stacks, the decode lane the
// pixel coder; the rest is immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "engine/kv/kv_memory.h"
#include "engine/model/umt5/encoder.h"
#include "engine/model/wan/transformer.h"
#include "engine/policy/recipe.h"
#include "engine/text/tokenizer.h"
#include "engine/video/layer_stage.h"
#include "engine/video/pixel_coder.h"
#include "engine/video/prompt_texts.h"
#include "engine/video/sweep_load.h"
#include "engine/video/video_options.h"
#include "storage/pack/pack_directory.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class VideoModel {
 public:
  static constexpr int64_t kPromptTokensMax = 512;  // what the models were trained on

  // Opens a pack directory. Errors name the file and what is wrong with it. workers and files must
  // outlive the model.
  static absl::StatusOr<std::unique_ptr<VideoModel>> Open(FileSystem& files,
                                                          const std::string& directory,
                                                          const VideoModelOptions& options,
                                                          WorkerPool& workers);
  virtual ~VideoModel() = default;

  // What Open gives to its stacks.
  static WanTransformerOptions TransformerOptions(const VideoModelOptions& options,
                                                  const PackReader& pack);
  static Umt5EncoderOptions TextOptions(const VideoModelOptions& options, const PackReader& pack);

  const std::string& name() const { return recipe_.name; }
  // Of the reads of prompts' rows. Any thread.
  PackReader::Stats text_row_stats() const { return text_pack_->stats(); }
  const std::string& digest() const { return pack_->model_digest(); }
  // Of what makes pixels of a take's latents: models that share it show each other's takes. 64
  // hexadecimal digits, or empty when there is no such decoder. Any thread.
  std::string DecoderDigest(const DecodeChoice& choice) const;
  const Recipe& recipe() const { return recipe_; }
  const VideoModelOptions& options() const { return options_; }
  // As Device::OnLoss, of whatever devices the model computes on. Any thread.
  void OnDeviceLoss(const Device::LossObserver& observer) {
    for (const auto& stage : stages_) stage->backend().device().OnLoss(observer);
    decode_backend_->device().OnLoss(observer);
  }
  std::string_view numerics_profile() const { return stage().backend().numerics_profile(); }
  std::string_view instruction_set() const { return stage().backend().instruction_set(); }
  const WanConfig& config() const { return config_; }
  const VaeConfig& vae_config() const { return vae_config_; }

  // What it computes. Virtual, so that a test of everything else need not wait for it.
  //
  // The stage's thread; errors as WanTransformer::NewSweep and Umt5Encoder::NewSweep.
  virtual absl::StatusOr<std::unique_ptr<ModelSweep>> NewVideoSweep(
      size_t stage, std::span<const VideoItem> items, KvStream* kv_stream) {
    return stages_[stage]->transformer().NewSweep(items, kv_stream);
  }
  virtual absl::StatusOr<std::unique_ptr<ModelSweep>> NewTextSweep(
      std::span<const TextItem> items) {
    return text_encoder_->NewSweep(items);
  }
  // The transformer's stages, in the order of their layers. Each has K/V on a device of its own,
  // which lives as long as the model.
  size_t stage_count() const { return stages_.size(); }
  LayerStage& stage(size_t number = 0) { return *stages_[number]; }
  const LayerStage& stage(size_t number = 0) const { return *stages_[number]; }
  LayerStream& text_layers() { return *text_layers_; }
  // The decode lane's thread, but for what ChunkDecoder says of any thread.
  virtual ChunkDecoder& chunk_decoder() { return *pixel_coder_; }
  // What was decided at Open, and memory: any thread.
  const LayerStream& text_layers() const { return *text_layers_; }
  PixelCoder& pixel_coder() { return *pixel_coder_; }
  bool has_tiny_decoder() const { return pixel_coder_->has_tiny_decoder(); }
  bool has_encoder() const { return pixel_coder_->has_encoder(); }

  // Rows of prompts that may be new in one sweep; one session brings at most two full prompts.
  int64_t prompt_rows_max() const { return PromptRowsMax(options_); }
  static int64_t PromptRowsMax(const VideoModelOptions& options) {
    return 4 * (options.prompt_tokens_max + 1);
  }

  // Cleans and tokenises; at most 512 ids, the last one </s>. InvalidArgument for bytes that are
  // not UTF-8 and for more than prompt_tokens_max where that is less. Any thread.
  absl::StatusOr<std::vector<int32_t>> Tokenize(const std::string& prompt) const;

  // A prompt's states [tokens, text_dim] as the stages keep them.
  absl::StatusOr<PromptTexts> NewPromptTexts(std::span<const float> states, int64_t tokens) const;
  absl::StatusOr<uint64_t> prompt_bytes_max() const;

  // Of all layers.
  KvLayout kv_layout(int64_t width, int64_t height) const;
  uint64_t transformer_bytes() const { return transformer_bytes_; }
  // Of all stages: slots and kept layers of the transformer, and what a sweep reads of it.
  uint64_t transformer_memory_bytes() const;
  uint64_t streamed_bytes_per_sweep() const;
  uint64_t resident_bytes() const { return resident_bytes_; }
  // Activations of both stacks. Those of the decoder are reserved with the sessions.
  uint64_t buffer_bytes() const;
  // Multiply-adds times two of a sweep (spec 8.1).
  double SweepFlops(const SweepLoad& load) const;

 protected:
  VideoModel() = default;
  // What Open does, once.
  absl::Status Load(FileSystem& files, const std::string& directory,
                    const VideoModelOptions& options, WorkerPool& workers);
  // One for sweeps, one for decoding. Virtual, so that a test may have another device.
  virtual absl::StatusOr<std::unique_ptr<Backend>> NewBackend(WorkerPool& workers,
                                                              const CpuBackendOptions& options) {
    return CreateCpuBackend(workers, options);
  }

 private:
  absl::Status ReadConfigs();
  // The device outlives the stream.
  LayerStream::Options StreamOptions(uint64_t kept_bytes_max, WorkerPool& workers,
                                     Device& device) const;
  absl::Status OpenTransformer(FileSystem& files, WorkerPool& workers);
  absl::StatusOr<const PackReader*> LayersOf(FileSystem& files, const ModelStage& stage);
  absl::Status OpenStage(const PackReader& pack, const ModelStage& options, uint64_t kept_bytes_max,
                         WorkerPool& workers);
  absl::Status OpenTextEncoder(WorkerPool& workers);
  absl::Status OpenPixelCoder();
  absl::StatusOr<std::unique_ptr<TinyDecoder>> OpenTinyDecoder();  // null when there is none

  VideoModelOptions options_;
  std::string directory_;
  std::unique_ptr<PackDirectory> pack_;
  std::vector<std::unique_ptr<PackDirectory>> stage_packs_;  // of stages with paths of their own
  const PackReader* text_pack_ = nullptr;                    // in it
  Recipe recipe_;
  WanConfig config_;
  Umt5Config text_config_;
  VaeConfig vae_config_;
  // Each backend has its own scratch memory, so those for sweeps, which the stages have, and the
  // decode lane's can compute side by side, also on one pool. The text encoder has the first
  // stage's.
  std::unique_ptr<Backend> decode_backend_;
  std::vector<std::unique_ptr<LayerStage>> stages_;
  std::unique_ptr<Umt5Encoder> text_encoder_;
  std::unique_ptr<LayerStream> text_layers_;
  std::unique_ptr<PixelCoder> pixel_coder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  uint64_t text_kept_bytes_max_ = 0;  // what the transformer leaves of the layers to be kept
  uint64_t transformer_bytes_ = 0;
  uint64_t resident_bytes_ = 0;
};

}  // namespace longtake
