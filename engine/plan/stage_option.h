// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The stages of a pipeline as they are written, one text each:
// "device=cpu:0-1,layers=0-19,memory=3GiB,path=/disk1/wan". Values and pure functions.
//
// Errors are INVALID_ARGUMENT and begin with stage and field, stages being counted from 0 as they
// are given: "stage 1: layers: ...".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/core_set.h"
#include "base/status_macros.h"
#include "storage/stream/layer_range.h"

namespace longtake {

struct StageOption {
  CoreSet cores;                              // of its workers: cpu:0-1+4
  uint64_t replica = 0;                       // of the pipeline that it is part of
  std::optional<LayerRange> layers = {};      // nullopt: auto
  std::optional<uint64_t> memory_bytes = {};  // what is large on it; nullopt: no limit
  std::vector<std::string> layer_paths = {};  // path, once for each; empty: the server's

  friend bool operator==(const StageOption&, const StageOption&) = default;
};

// device is required; what else is missing is as above. A path has no comma.
absl::StatusOr<std::vector<StageOption>> ParseStages(std::span<const std::string> texts);

// Whether all workers can stay on their cores: no two stages want the same one.
bool HaveCoresApart(std::span<const StageOption> stages);

// The layers of each stage, of so many: as they are written, or, where they are auto, in equal
// numbers, earlier stages having one more. Stages of a replica are in order of layers and together
// have all of them, replicas are counted without a gap.
absl::StatusOr<std::vector<LayerRange>> DealLayers(std::span<const StageOption> stages,
                                                   int64_t layer_count);

}  // namespace longtake
