// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/field_options.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace longtake {
namespace {

constexpr std::pair<const char*, const char*> kOptions[] = {
    {"allow_other_numerics", "--any-numerics"},
    {"decoder", "--decoder"},
    {"duration", "--duration"},
    {"fps", "--fps"},
    {"frame_count", "--duration"},
    {"guidance", "--guidance"},
    {"height", "--size"},
    {"key_plan", "--key-plan"},
    {"media_kind", "--out"},
    {"negative_prompt", "--negative-prompt"},
    {"next_chunk", "--from-chunk"},
    {"numerics_profile", "--numerics-profile"},
    {"prompt", "--prompt"},
    {"prompt_changes", "--prompt-at"},
    {"prompt_switch", "--prompt-switch"},
    {"seed", "--seed"},
    {"start_frame_count", "--from"},
    {"step_count", "--step-count"},
    {"steps", "--steps"},
    {"tiled_decode", "--tiled-decode"},
    {"ttl", "--ttl"},
    {"width", "--size"},
};

}  // namespace

std::string OptionOfField(const std::string& field) {
  absl::string_view rest = field;
  absl::ConsumePrefix(&rest, "open.");
  absl::ConsumePrefix(&rest, "attach.");
  absl::ConsumePrefix(&rest, "spec.");
  const absl::string_view name = rest.substr(0, rest.find_first_of(".["));
  for (const auto& [known, option] : kOptions) {
    if (name == known) return option;
  }
  return "";
}

}  // namespace longtake
