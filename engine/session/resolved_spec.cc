// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/resolved_spec.h"

namespace longtake {

SessionSpec ResolvedSpec::AsRequest() const {
  return {.prompt = prompt,
          .prompt_changes = prompt_changes,
          .negative_prompt = negative_prompt,
          .guidance = guidance,
          .seed = seed,
          .width = width,
          .height = height,
          .fps = fps,
          .frame_count = frame_count,
          .steps = steps,
          .step_count = step_count,
          .key_plan = key_plan,
          .prompt_switch = prompt_switch,
          .tiled_decode = tiled_decode,
          .decoder = decoder,
          .media_kind = media_kind,
          .ttl_nanos = ttl_nanos,
          .start_frames = start_frames,
          .numerics_profile = numerics_profile,
          .allow_other_numerics = allow_other_numerics};
}

}  // namespace longtake
