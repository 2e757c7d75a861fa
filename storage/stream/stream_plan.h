// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a layer stream will hold and read, computed before anything is allocated. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_range.h"

namespace longtake {

// One part of one layer, in the order of the sweep.
struct StreamUnit {
  size_t layer = 0;
  size_t part = 0;
  size_t path = 0;  // PackReader::layer_files
  bool kept = false;
  uint64_t offset = 0;  // in the payload
  uint64_t bytes = 0;
};

struct StreamPlan {
  LayerRange layers;  // the pack's that it is of; "per layer" means these
  std::vector<StreamUnit> units;
  std::vector<size_t> first_unit;  // per layer
  std::vector<bool> kept;          // per layer: all of its parts
  uint64_t kept_part_count = 0;    // of the other layers
  uint64_t slot_count = 0;         // 0 when all layers are kept
  uint64_t slot_bytes = 0;         // the largest streamed part
  uint64_t kept_bytes = 0;
  uint64_t bytes_per_sweep = 0;
  std::vector<uint64_t> path_bytes;  // those of each path
  std::vector<size_t> path_disk;     // PackReader::layer_disks

  size_t disk_count() const { return *std::max_element(path_disk.begin(), path_disk.end()) + 1; }
  uint64_t disk_bytes(size_t disk) const;  // bytes_per_sweep that come from it

  uint64_t memory_bytes() const { return slot_count * slot_bytes + kept_bytes; }
};

// How many slots let all paths read all the time: 3 for one of them (in use, verified next, being
// read), and for each further one as many as a layer has parts, since its next layer is read while
// the one before comes part by part.
uint64_t DefaultSlotCount(const PackReader& pack);

// Whole layers first; single parts of others take what that leaves. With slot_count 0 it is the
// default; there are never so many slots that all layers would take less.
StreamPlan PlanStream(const PackReader& pack, uint64_t slot_count, uint64_t kept_bytes_max,
                      const LayerRange& layers = {});

}  // namespace longtake
