// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The UMT5 text encoder (docs/spec 5.1). Only a prompt's real tokens are encoded: padded keys are
// masked in the published model, so the other rows change nothing. Prompts of a sweep are stacked;
// an item's bits do not depend on the others.
//
// One thread. The backend and the pack outlive the encoder, the encoder its sweeps; one sweep at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/memory_use.h"
#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/layer_slots.h"
#include "engine/model/model_sweep.h"
#include "engine/model/umt5/config.h"
#include "storage/pack/pack_reader.h"

namespace longtake {

// One prompt. Borrowed until the sweep ends.
struct TextItem {
  std::span<const int32_t> ids;  // with </s>, without padding
  float* out = nullptr;          // [ids.size(), d_model]
};

struct Umt5EncoderOptions {
  int64_t tokens_max = 0;           // of all prompts of a sweep
  int64_t prompt_tokens_max = 512;  // of one prompt
  LayerSlots::Options slots = {};
  const MemoryPopulator* populator = nullptr;  // of the buffers; null: the caller's thread
};

struct Umt5Core;

class Umt5Encoder {
 public:
  // Takes the buffers of all sweeps. FAILED_PRECONDITION or NOT_FOUND names a tensor that is wrong
  // or missing, INVALID_ARGUMENT an option, RESOURCE_EXHAUSTED the memory. Token rows are read from
  // the pack as prompts come.
  static absl::StatusOr<std::unique_ptr<Umt5Encoder>> Create(const Umt5Config& config,
                                                             const PackReader& pack,
                                                             Backend& backend,
                                                             const Umt5EncoderOptions& options);
  // What Create takes beyond the resident section, and the copy of it that a device keeps which
  // has memory of its own.
  static absl::StatusOr<MemoryUse> BufferBytes(const Umt5Config& config,
                                               const Umt5EncoderOptions& options);
  ~Umt5Encoder();

  const Umt5Config& config() const;
  uint64_t buffer_bytes() const;  // activations of all sweeps, taken at Create

  // INVALID_ARGUMENT names item and field; RESOURCE_EXHAUSTED when the prompts exceed tokens_max or
  // one prompt_tokens_max; FAILED_PRECONDITION while a sweep lives.
  absl::StatusOr<std::unique_ptr<ModelSweep>> NewSweep(std::span<const TextItem> items);

 private:
  explicit Umt5Encoder(std::unique_ptr<Umt5Core> core);
  std::unique_ptr<Umt5Core> core_;
};

}  // namespace longtake
