// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// CUDA's runtime without a GPU: the functions that engine/backend/cuda/cuda_device.cc calls, with
// memory of the host. Streams do nothing until somebody waits or asks, and then one thing after the
// other, of a stream drawn from a seed; only events hold them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fake_cuda {

struct State {
  int devices = 1;
  int major = 9;                // of their architecture
  bool holds = false;           // streams do nothing at all
  std::string fails = {};       // the call of this name, and every call after it
  std::string fails_once = {};  // the next call of this name, and none after it
  uint64_t memory_free = uint64_t{1} << 30;
  bool may_lock = true;
  uint64_t allocated = 0;
  uint64_t registered = 0;           // ranges
  std::vector<int> priorities = {};  // of the streams, as they were made
};
// A new machine; nothing may be left of the one before.
State& Reset(uint64_t seed);

}  // namespace fake_cuda
