// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/prompt_switch.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace longtake {

std::string_view PromptSwitchName(PromptSwitch prompt_switch) {
  switch (prompt_switch) {
    case PromptSwitch::kSwap:
      return "swap";
    case PromptSwitch::kRecache:
      return "recache";
    case PromptSwitch::kRecacheAndSink:
      return "recache_and_sink";
  }
  return "?";
}

absl::StatusOr<PromptSwitch> ParsePromptSwitch(std::string_view name) {
  for (PromptSwitch known :
       {PromptSwitch::kSwap, PromptSwitch::kRecache, PromptSwitch::kRecacheAndSink}) {
    if (name == PromptSwitchName(known)) return known;
  }
  return absl::InvalidArgumentError(absl::StrCat("prompt_switch '", std::string(name),
                                                 "' is not swap, recache or recache_and_sink"));
}

absl::Status ValidatePromptSwitch(PromptSwitch prompt_switch, const KeyPlanSpec& key_plan) {
  if (prompt_switch == PromptSwitch::kSwap || HasSink(key_plan.kind)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "prompt_switch ", std::string(PromptSwitchName(prompt_switch)),
      " needs key_plan window or slot_window, not ", std::string(KeyPlanKindName(key_plan.kind))));
}

}  // namespace longtake
