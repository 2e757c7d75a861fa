// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session is: its specification with every default filled in and checked against the model.
// Only ResolveSpec (engine/serve/resolve.h) makes one from a request, so who has one need not check
// again. A plain value; two that are equal make the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/session/session_spec.h"

namespace longtake {

struct ResolvedSpec {
  std::string prompt;
  std::vector<PromptChange> prompt_changes;  // by rising frames, each within the take
  std::string negative_prompt;               // empty without guidance, unless the client gave one
  double guidance = 1.0;                     // 1: none
  uint64_t seed = 0;
  int64_t width = 0;  // pixels, multiples of 16
  int64_t height = 0;
  int64_t fps = 0;            // frames per second of the media clock
  int64_t frame_count = 0;    // pixel frames; 0: endless
  std::vector<double> steps;  // empty when the sampler spaces its own step_count
  int64_t step_count = 0;
  KeyPlanSpec key_plan;
  PromptSwitch prompt_switch = PromptSwitch::kSwap;
  bool tiled_decode = false;
  DecoderKind decoder = DecoderKind::kFull;
  MediaKind media_kind = MediaKind::kFmp4;
  int64_t ttl_nanos = 0;     // life without a client; 0: ends when the client goes
  int64_t start_frames = 0;  // pixel frames the client brings
  std::string numerics_profile;
  bool allow_other_numerics = false;

  friend bool operator==(const ResolvedSpec&, const ResolvedSpec&) = default;

  bool guided() const { return guidance != 1.0; }
  uint64_t frame_bytes() const { return static_cast<uint64_t>(width * height * 3); }  // RGB24
  uint64_t start_bytes() const { return static_cast<uint64_t>(start_frames) * frame_bytes(); }
  // The request that resolves to this, on any server of the same model.
  SessionSpec AsRequest() const;
};

}  // namespace longtake
