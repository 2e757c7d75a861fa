// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How much memory opening a pack will take, from its tables alone: nothing else is read and nothing
// allocated. The memory plan (engine/plan/memory_plan.h) uses it before the model is opened.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/memory_use.h"
#include "base/status_macros.h"
#include "engine/video/video_model.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

struct ModelMemory {
  MemoryUse resident;  // weights of both stacks that stay, as they lie in the pack
  MemoryUse vae;       // weights of decoders and encoder, as the convolutions hold them
  MemoryUse buffers;   // activations of both stacks
  MemoryUse scratch;   // what the workers compute in, for sweeps and for decoding
  // Of each stack's layers, in bytes of the host: what streaming them takes at least, and all of
  // them.
  uint64_t transformer_slots = 0;
  uint64_t transformer_layers = 0;
  uint64_t text_slots = 0;
  uint64_t text_layers = 0;
  bool has_device = false;  // with memory of its own; else all is the host's

  void Add(const ModelMemory& other);
};

// With so many workers, as one stage. Errors as of VideoModel::Open, for what the tables tell.
absl::StatusOr<ModelMemory> MeasureModel(const PackDirectory& pack,
                                         const VideoModelOptions& options, int threads);
absl::StatusOr<ModelMemory> MeasureModel(FileSystem& files, const std::string& directory,
                                         const VideoModelOptions& options, int threads);
// Of each of the options' stages, which there are; what is there once, the text encoder and the
// VAE, is with the first. A stage without cores of its own has so many workers.
absl::StatusOr<std::vector<ModelMemory>> MeasureStages(FileSystem& files,
                                                       const std::string& directory,
                                                       const VideoModelOptions& options,
                                                       int threads);

}  // namespace longtake
