// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/resume_cost.h"

#include <algorithm>

#include "engine/model/vae/latent_grid.h"

namespace longtake {

std::optional<SweepTime> PredictReplay(const RolloutSpec& spec, const ReplaySpan& span,
                                       int64_t rows_max, bool kv_in_file,
                                       const SweepCostModel& costs) {
  return costs.PredictAll(SweepsOfReplay(spec, span, rows_max, kv_in_file));
}

std::optional<double> PredictWarmUp(const ResolvedSpec& spec, int64_t warm_up_latents,
                                    int64_t decoded_latents, const LaneCosts& costs) {
  const int64_t latents = std::min(warm_up_latents, decoded_latents);
  const int64_t frames = latents == decoded_latents ? LatentGrid::PixelFrames(latents)
                                                    : LatentGrid::LaterPixelFrames(latents);
  return costs.DecodeSeconds(spec.decoder, static_cast<double>(spec.width * spec.height * frames));
}

}  // namespace longtake
