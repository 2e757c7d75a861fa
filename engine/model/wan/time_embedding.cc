// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/time_embedding.h"

#include <cmath>
#include <iterator>

namespace longtake {

void FillSinusoid(double timestep, std::span<float> out) {
  const size_t half = out.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const double frequency = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
    out[i] = static_cast<float>(std::cos(timestep * frequency));
    out[half + i] = static_cast<float>(std::sin(timestep * frequency));
  }
}

TimeEmbedder::Affine TimeEmbedder::Find(ParameterLookup& lookup, const std::string& name,
                                        int64_t out, int64_t in) {
  const std::string full = "condition_embedder." + name;
  return {lookup.Matrix(full + ".weight", out, in), lookup.Vector(full + ".bias", out)};
}

TimeEmbedder::TimeEmbedder(const WanConfig& config, ParameterLookup& lookup)
    : width_(config.width()), freq_dim_(config.freq_dim) {
  first_ = Find(lookup, "time_embedder.linear_1", width_, freq_dim_);
  second_ = Find(lookup, "time_embedder.linear_2", width_, width_);
  projection_ = Find(lookup, "time_proj", 6 * width_, width_);
}

absl::Status TimeEmbedder::Reserve(Device& device, int64_t rows) {
  if (rows <= rows_max_) return absl::OkStatus();
  const auto bytes = [rows](int64_t width) {
    return static_cast<uint64_t>(rows * width) * sizeof(float);
  };
  rows_max_ = 0;
  LT_ASSIGN_OR_RETURN(sinusoids_, device.AllocatePinned(bytes(freq_dim_), nullptr));
  LT_ASSIGN_OR_RETURN(sinusoids_in_, device.Allocate(bytes(freq_dim_), nullptr));
  LT_ASSIGN_OR_RETURN(hidden_, device.Allocate(bytes(width_), nullptr));
  LT_ASSIGN_OR_RETURN(head_, device.Allocate(bytes(width_), nullptr));
  LT_ASSIGN_OR_RETURN(blocks_, device.Allocate(bytes(6 * width_), nullptr));
  rows_max_ = rows;
  return absl::OkStatus();
}

absl::Status TimeEmbedder::Embed(Backend& backend, std::span<const float> timesteps) {
  const auto rows = std::ssize(timesteps);
  Device& device = backend.device();
  LT_RETURN_IF_ERROR(Reserve(device, rows));
  const std::span<float> sinusoids(reinterpret_cast<float*>(sinusoids_.data()),
                                   static_cast<size_t>(rows * freq_dim_));
  const auto width = static_cast<size_t>(freq_dim_);
  for (size_t row = 0; row < timesteps.size(); ++row) {
    FillSinusoid(timesteps[row], sinusoids.subspan(row * width, width));
  }
  device.CopyIn(backend.lane(), sinusoids_in_.As<std::byte>(), std::as_bytes(sinusoids));
  const auto apply = [&](const Affine& affine, const DeviceBuffer& in, Activation activation,
                         const DeviceBuffer& out) {
    backend.Linear({.in = in.As<float>(),
                    .rows = rows,
                    .weight = affine.weight,
                    .bias = affine.bias,
                    .activation = activation,
                    .out = out.As<float>()});
  };
  apply(first_, sinusoids_in_, Activation::kSilu, hidden_);
  apply(second_, hidden_, Activation::kNone, head_);
  device.Copy(backend.lane(), hidden_.As<std::byte>(), head_.As<std::byte>(),
              static_cast<uint64_t>(rows * width_) * sizeof(float));
  backend.Silu(hidden_.As<float>(), rows * width_);
  apply(projection_, hidden_, Activation::kNone, blocks_);
  return absl::OkStatus();
}

}  // namespace longtake
