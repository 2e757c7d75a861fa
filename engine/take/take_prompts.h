// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace longtake {

// The prompts of a take, as tokens.
struct TakePrompts {
  std::vector<std::vector<int32_t>> branches;  // one per guidance branch
  std::vector<int32_t> old;  // for the clean passes that wait, if it is not branches[0]
  friend bool operator==(const TakePrompts&, const TakePrompts&) = default;
};

}  // namespace longtake
