// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session is asked to be: a plain value that crosses from the server to the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/policy/key_plan.h"
#include "engine/policy/limits.h"
#include "engine/policy/prompt_switch.h"

namespace longtake {

// What the client wants to be sent. The engine keeps it with the session and does nothing with it.
enum class MediaKind { kFmp4, kRgb24 };

// What decodes latents to pixels: the VAE, or a small model that was trained to do the same.
enum class DecoderKind { kFull, kTiny };

// Another prompt, shown from the first chunk on that begins at this pixel frame or after it.
struct PromptChange {
  int64_t frame = 0;
  std::string prompt;
  friend bool operator==(const PromptChange&, const PromptChange&) = default;
};

struct SessionSpec {
  std::string prompt;
  std::vector<PromptChange> prompt_changes;  // by rising frames
  std::string negative_prompt;               // used only with guidance other than 1
  std::optional<double> guidance;            // empty: the recipe's
  uint64_t seed = 0;
  int64_t width = 0;  // pixels, multiples of 16; 0: the recipe's
  int64_t height = 0;
  int64_t fps = 0;            // frames per second of the media clock; 0: the recipe's
  int64_t frame_count = 0;    // pixel frames; 0: endless
  std::vector<double> steps;  // empty: the recipe's
  int64_t step_count = 0;     // of a sampler that spaces its steps itself; 0: the recipe's
  std::optional<KeyPlanSpec> key_plan;
  std::optional<PromptSwitch> prompt_switch;
  std::optional<bool> tiled_decode;  // empty: the recipe's
  std::optional<DecoderKind> decoder;
  MediaKind media_kind = MediaKind::kFmp4;
  int64_t ttl_nanos = 0;     // life without a client; 0: ends when the client goes
  int64_t start_frames = 0;  // pixel frames the client brings, with which the take begins
  // Empty: the model's. Another one is refused, or with allow_other_numerics kept as a mark.
  std::string numerics_profile;
  bool allow_other_numerics = false;
};

}  // namespace longtake
