// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A component of a published shape with random weights, as published (bf16 safetensors) and as a
// pack: what speed and memory are measured on where no checkpoint is at hand. Other software reads
// the very same weights from the directory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"

namespace longtake {

struct SynthesiseOptions {
  std::string shape;           // of SyntheticShapes
  int64_t layers = 0;          // 0: as published
  bool quantize_int8 = false;  // only a transformer's layers
  bool pack_only = false;      // the published files are removed once the pack is written
  std::function<void(const std::string& what, uint64_t done_bytes, uint64_t total_bytes)>
      progress;  // of the pack; may be empty
};

// "wan-1.3b", "wan-14b", "umt5-xxl", "wan-vae", "taew2.1".
std::vector<std::string> SyntheticShapes();

// Writes DIRECTORY/<component>/ and DIRECTORY/<component>.pack; gives the component's name.
// INVALID_ARGUMENT naming the option, ALREADY_EXISTS when a published model is there,
// RESOURCE_EXHAUSTED when the disk lacks the space, before anything is written.
absl::StatusOr<std::string> SynthesiseComponent(FileSystem& files, const std::string& directory,
                                                const SynthesiseOptions& options,
                                                WorkerPool& workers);

// A pack directory that can be served: a transformer of options.shape with a text encoder
// ("umt5-xxl", text_layers of them, 0: as published), a VAE ("wan-vae") and a tiny decoder
// ("taew2.1"), and the tokenizer and recipe of a model directory. Gives the model digest. Errors as
// above.
absl::StatusOr<std::string> SynthesiseModel(FileSystem& files, const std::string& directory,
                                            const std::string& model_directory, int64_t text_layers,
                                            const SynthesiseOptions& options, WorkerPool& workers);

}  // namespace longtake
