// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a timestep says to the network (docs/spec 2.2): e for the head, E for the blocks.
#pragma once

#include <cstdint>
#include <span>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/wan/config.h"

namespace longtake {

// cos(t w_i), then sin(t w_i), w_i = 10000^(-i / half), half = out.size() / 2; angles in double.
void FillSinusoid(double timestep, std::span<float> out);

// The embeddings of a sweep's timesteps, in memory of the backend's device that grows with the most
// timesteps of a sweep. Borrows the section that the device keeps. Move only; the backend's thread.
class TimeEmbedder {
 public:
  TimeEmbedder(const WanConfig& config, ParameterLookup& lookup);

  // Nothing may be under way. RESOURCE_EXHAUSTED without memory.
  absl::Status Embed(Backend& backend, std::span<const float> timesteps);
  // Of the timesteps embedded last.
  DevicePtr<const float> head() const { return head_.As<float>(); }      // e, [timesteps, width]
  DevicePtr<const float> blocks() const { return blocks_.As<float>(); }  // E, [timesteps, 6, width]

 private:
  struct Affine {
    Weight weight;
    DevicePtr<const float> bias = {};
  };
  absl::Status Reserve(Device& device, int64_t rows);
  static Affine Find(ParameterLookup& lookup, const std::string& name, int64_t out, int64_t in);

  int64_t width_;
  int64_t freq_dim_;
  Affine first_;
  Affine second_;
  Affine projection_;

  int64_t rows_max_ = 0;       // for which there is memory
  AlignedBuffer sinusoids_;    // [timesteps, freq_dim], of the host
  DeviceBuffer sinusoids_in_;  // the same
  DeviceBuffer hidden_;        // [timesteps, width]
  DeviceBuffer head_;
  DeviceBuffer blocks_;
};

}  // namespace longtake
