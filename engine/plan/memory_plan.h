// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How the memory budget is divided: a pure function, computed before anything large is allocated.
// What is left when every part has what it needs keeps layers in memory. A device with memory of
// its own has a budget of its own: keys and values are there, with what sessions keep on it, and
// get what the model leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/plan/model_memory.h"

namespace longtake {

// Bytes; nullopt leaves it to the plan.
struct MemoryWishes {
  std::optional<uint64_t> budget = {};         // of the host; nullopt: no limit
  const char* budget_name = "memory-budget";   // for errors: who says it
  std::optional<uint64_t> device_budget = {};  // of a device with memory of its own
  std::optional<uint64_t> kv = {};
  std::optional<uint64_t> sessions = {};         // of the host
  std::optional<uint64_t> device_sessions = {};  // and what of them lies in the device's memory
  std::optional<uint64_t> kept = {};             // the most
  // Less makes no sense; taken from the budget before anything else is.
  uint64_t kv_min = 0;
  uint64_t sessions_min = 0;
  uint64_t device_sessions_min = 0;
  uint64_t kv_staging = 0;  // for K/V that lives in a file
  uint64_t store = 0;       // for snapshots on their way to the store and back
  uint64_t prompt_cache = 0;
};

struct MemoryPlan {
  ModelMemory model;
  uint64_t kv = 0;
  uint64_t kv_staging = 0;
  uint64_t store = 0;
  uint64_t prompt_cache = 0;
  MemoryUse sessions;
  uint64_t kept = 0;  // VideoModelOptions::kept_bytes_max
  std::optional<uint64_t> budget;
  std::optional<uint64_t> device_budget;

  // What the layers of both stacks take with so many bytes of kept layers, at most.
  uint64_t layers() const;
  MemoryUse total() const;  // 2^63 - 1 where it is more
  // Largest first, for people: {"activations (tokens-per-sweep)", use}.
  std::vector<std::pair<std::string, MemoryUse>> Breakdown() const;
};

inline constexpr uint64_t kKvBytesDefault = uint64_t{1} << 30;
inline constexpr uint64_t kSessionBytesDefault = uint64_t{4} << 30;

// RESOURCE_EXHAUSTED says of which budget how much is missing and lists what each part needs.
absl::StatusOr<MemoryPlan> PlanMemory(const ModelMemory& model, const MemoryWishes& wishes);

}  // namespace longtake
