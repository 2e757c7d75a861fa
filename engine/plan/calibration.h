// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What this machine can do with one model: how fast layers arrive, how fast they are checked, how
// long a layer takes to compute and a pixel to decode. The residency plan
// (engine/plan/residency_plan.h) and estimates of takes are computed from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/video/pixel_seconds.h"

namespace longtake {

struct LayerCost {
  int64_t tokens = 0;          // rows of a sweep, that attend to each other
  double layer_seconds = 0;    // one layer, nothing to wait for and nothing to verify
  double between_seconds = 0;  // before the first layer
  // How much longer a layer takes for each row of K/V that all tokens attend to beside each other.
  double context_row_seconds = 0;
};

// Raised when what is measured means something else; 2: checksums on all workers, 3: context,
// 4: decoding, 5: its latents and its beginning.
inline constexpr uint64_t kCalibrationFormat = 5;

struct Calibration {
  // What it was measured for; of another machine or model it says nothing.
  uint64_t format = kCalibrationFormat;
  std::string model_digest;
  std::string numerics_profile;
  std::string instruction_set;
  uint64_t threads = 0;
  std::vector<std::string> layer_paths;  // VideoModelOptions
  std::vector<size_t> layer_disks;       // of each of them; PackReader::layer_disks

  uint64_t request_bytes = 0;
  // Of each disk that layer_paths are on, alone; without them of the pack's own.
  std::vector<double> disk_bytes_per_second;
  double verify_bytes_per_second = 0;
  std::vector<LayerCost> layers;  // by rising tokens, at least one
  PixelSeconds decode;            // tiny is not known where the pack has none

  bool IsFor(const Calibration& other) const {
    return format == other.format && model_digest == other.model_digest &&
           numerics_profile == other.numerics_profile && instruction_set == other.instruction_set &&
           threads == other.threads && layer_paths == other.layer_paths &&
           layer_disks == other.layer_disks;
  }
  // Between what was measured: straight lines; below: the least; above: in proportion.
  LayerCost At(int64_t tokens) const;
};

std::string EncodeCalibration(const Calibration& calibration);
// INVALID_ARGUMENT naming what (a path) and the field.
absl::StatusOr<Calibration> DecodeCalibration(std::string_view text, const std::string& what);

}  // namespace longtake
