// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How the memory budget is divided: a pure function, computed before anything large is allocated.
// What is left when every part has what it needs keeps layers in memory.
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
  std::optional<uint64_t> budget = {};  // nullopt: no limit
  std::optional<uint64_t> kv = {};
  std::optional<uint64_t> sessions = {};
  std::optional<uint64_t> kept = {};  // the most
  // Less makes no sense; taken from the budget before anything else is.
  uint64_t kv_min = 0;
  uint64_t sessions_min = 0;
  uint64_t kv_staging = 0;  // for K/V that lives in a file
  uint64_t prompt_cache = 0;
};

struct MemoryPlan {
  ModelMemory model;
  uint64_t kv = 0;
  uint64_t kv_staging = 0;
  uint64_t prompt_cache = 0;
  uint64_t sessions = 0;
  uint64_t kept = 0;  // VideoModelOptions::kept_bytes_max
  std::optional<uint64_t> budget;

  // What the layers of both stacks take with so many bytes of kept layers, at most.
  uint64_t layers() const;
  uint64_t total() const;  // 2^63 - 1 when it is more
  // Largest first, for people: {"activations (tokens-per-sweep)", bytes}.
  std::vector<std::pair<std::string, uint64_t>> Breakdown() const;
};

inline constexpr uint64_t kKvBytesDefault = uint64_t{1} << 30;
inline constexpr uint64_t kSessionBytesDefault = uint64_t{4} << 30;

// RESOURCE_EXHAUSTED says how much is missing and lists what each part needs.
absl::StatusOr<MemoryPlan> PlanMemory(const ModelMemory& model, const MemoryWishes& wishes);

}  // namespace longtake
