// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/time_embedding.h"

#include <algorithm>
#include <cmath>

namespace longtake {

void FillSinusoid(double timestep, std::span<float> out) {
  const size_t half = out.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const double frequency = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
    out[i] = static_cast<float>(std::cos(timestep * frequency));
    out[half + i] = static_cast<float>(std::sin(timestep * frequency));
  }
}

int64_t TimeStates::Row(float timestep) {
  const auto found = std::find(timesteps.begin(), timesteps.end(), timestep);
  const int64_t row = found - timesteps.begin();
  if (found == timesteps.end()) timesteps.push_back(timestep);
  return row;
}

TimeEmbedder::Affine TimeEmbedder::Find(ResidentLookup& lookup, const std::string& name,
                                        int64_t out, int64_t in) {
  const std::string full = "condition_embedder." + name;
  return {lookup.Matrix(full + ".weight", out, in), lookup.Vector(full + ".bias", out)};
}

TimeEmbedder::TimeEmbedder(const WanConfig& config, ResidentLookup& lookup)
    : width_(config.width()), freq_dim_(config.freq_dim) {
  first_ = Find(lookup, "time_embedder.linear_1", width_, freq_dim_);
  second_ = Find(lookup, "time_embedder.linear_2", width_, width_);
  projection_ = Find(lookup, "time_proj", 6 * width_, width_);
}

void TimeEmbedder::Embed(Backend& backend, TimeStates& states) const {
  const auto rows = static_cast<int64_t>(states.timesteps.size());
  const auto floats = [rows](int64_t width) {
    return std::vector<float>(static_cast<size_t>(rows * width));
  };
  const auto apply = [&](const Affine& affine, const std::vector<float>& in, Activation activation,
                         std::vector<float>& out) {
    backend.Linear({.in = in.data(),
                    .rows = rows,
                    .weight = affine.weight,
                    .bias = affine.bias,
                    .activation = activation,
                    .out = out.data()});
  };
  std::vector<float> sinusoid = floats(freq_dim_);
  for (int64_t row = 0; row < rows; ++row) {
    FillSinusoid(states.timesteps[static_cast<size_t>(row)],
                 std::span(sinusoid).subspan(static_cast<size_t>(row * freq_dim_),
                                             static_cast<size_t>(freq_dim_)));
  }
  std::vector<float> hidden = floats(width_);
  apply(first_, sinusoid, Activation::kSilu, hidden);
  states.head = floats(width_);
  apply(second_, hidden, Activation::kNone, states.head);
  hidden = states.head;
  backend.Silu(hidden.data(), rows * width_);
  states.blocks = floats(6 * width_);
  apply(projection_, hidden, Activation::kNone, states.blocks);
}

}  // namespace longtake
