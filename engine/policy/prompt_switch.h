// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a new prompt means for what is already on the screen. Pure functions.
#pragma once

#include <string_view>

#include "base/status_macros.h"
#include "engine/policy/key_plan.h"

namespace longtake {

// What a new prompt does to the memory of what was shown before (spec 3.8).
enum class PromptSwitch {
  kSwap,            // nothing: old keys and values stay
  kRecache,         // the window's are made again under the new prompt; its sink stays
  kRecacheAndSink,  // and the oldest of them become the new sink
};

// "swap", "recache", "recache_and_sink".
std::string_view PromptSwitchName(PromptSwitch prompt_switch);
absl::StatusOr<PromptSwitch> ParsePromptSwitch(std::string_view name);

// INVALID_ARGUMENT names the field: only a window's memory can be made again.
absl::Status ValidatePromptSwitch(PromptSwitch prompt_switch, const KeyPlanSpec& key_plan);

}  // namespace longtake
