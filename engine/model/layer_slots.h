// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a sweep's ops find its layers. A device with memory of its own has slots for some of them:
// a layer is copied from the stream's memory into the next slot while the ops of the layers before
// it run, and order between the two lanes is kept on the device. The host waits only until a part
// was copied, before its memory goes back to the stream. Without slots ops read the stream's
// memory, and nothing is copied.
//
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/memory_populator.h"
#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/layer_weights.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class LayerSlots {
 public:
  struct Options {
    size_t count = 0;    // 0: ops reach the host's memory; 1: nothing is copied ahead
    uint64_t bytes = 0;  // of each
  };
  // As many as make copies and ops overlap with one to spare, each for the pack's largest layer.
  static Options For(const PackReader& pack);

  LayerSlots() = default;  // none
  // RESOURCE_EXHAUSTED without memory.
  static absl::StatusOr<LayerSlots> Create(Device& device, const Options& options,
                                           const MemoryPopulator* populator);

  // The layer's matrices for ops of the backend, for whoever puts them before the answer goes. The
  // lease outlives it. Errors of reading the layer, and of the device.
  absl::StatusOr<std::unique_ptr<LayerWeights>> Lend(Backend& backend, LayerLease& lease);

 private:
  friend class SlotWeights;
  struct Slot {
    DeviceBuffer memory;
    Fence used;  // behind the last op that reads it
  };

  std::vector<Slot> slots_;
  size_t next_ = 0;
};

}  // namespace longtake
