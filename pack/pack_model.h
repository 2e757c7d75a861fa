// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Model directory -> pack directory (docs/formats.md): reads the published Diffusers layout, holds
// every component against the layout its model states, and writes packs tensor by tensor. Nothing
// large is held in memory.
#pragma once

#include <functional>
#include <string>

#include "base/dtype.h"
#include "base/file_system.h"
#include "base/status_macros.h"

namespace longtake {

struct PackModelOptions {
  // A recipe's JSON. Empty: longtake.json of the model directory.
  std::string recipe = {};
  // Of matrices; norms, biases and modulation stay F32. kF32 or kBf16.
  DType dtype = DType::kBf16;
  // The matrices of the transformer's layers as int8, a scale per output channel. The text encoder
  // keeps dtype: its activations have outliers that a scale per row cannot hold, and it runs once a
  // prompt.
  bool quantize_int8 = false;
  // Called for each file of the model that is read, and for weights that lie beside them unread.
  std::function<void(const std::string& path, bool is_read)> on_file = {};  // may be empty
  std::function<void(const std::string& component, uint64_t done_bytes, uint64_t total_bytes)>
      progress = {};  // may be empty
};

// Gives the model digest. One error at most, naming file and tensor: NOT_FOUND for what is missing,
// INVALID_ARGUMENT for what is wrong or unexpected, UNIMPLEMENTED for published variants longtake
// does not run, RESOURCE_EXHAUSTED when the disk lacks the space.
absl::StatusOr<std::string> PackModel(FileSystem& files, const std::string& model_directory,
                                      const std::string& pack_directory,
                                      const PackModelOptions& options);

}  // namespace longtake
