// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a timestep says to the network (docs/spec 2.2): e for the head, E for the blocks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/wan/config.h"

namespace longtake {

// cos(t w_i), then sin(t w_i), w_i = 10000^(-i / half), half = out.size() / 2; angles in double.
void FillSinusoid(double timestep, std::span<float> out);

// The distinct timesteps of a sweep, in order of first appearance, and their embeddings.
struct TimeStates {
  std::vector<float> timesteps;
  std::vector<float> head;    // e, [timesteps, width]
  std::vector<float> blocks;  // E, [timesteps, 6, width]

  // Row of a timestep, adding it when new.
  int64_t Row(float timestep);
};

// One thread. Borrows the section's memory and, during Embed, the backend.
class TimeEmbedder {
 public:
  TimeEmbedder(const WanConfig& config, ResidentLookup& lookup);

  // Fills head and blocks from timesteps.
  void Embed(Backend& backend, TimeStates& states) const;

 private:
  struct Affine {
    Weight weight;
    const float* bias = nullptr;
  };
  static Affine Find(ResidentLookup& lookup, const std::string& name, int64_t out, int64_t in);

  int64_t width_;
  int64_t freq_dim_;
  Affine first_;
  Affine second_;
  Affine projection_;
};

}  // namespace longtake
