// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/session_memory.h"

#include <algorithm>

#include "base/checked.h"
#include "engine/model/vae/tiled.h"

namespace longtake {
namespace {

// Latents of a chunk in work: the sample, noise, a flow for each branch, and what a sampler
// remembers.
constexpr uint64_t kLatentsInWork = 9;

uint64_t LatentBytes(const RolloutSpec& rollout, int64_t frames) {
  return static_cast<uint64_t>(frames * rollout.frame_values()) * sizeof(float);
}

uint64_t LatentsInWork(const RolloutSpec& rollout) {
  const auto chunks = static_cast<uint64_t>(ShapeOf(rollout).chunks_in_work);
  uint64_t bytes = kLatentsInWork * chunks * LatentBytes(rollout, rollout.chunk.frames);
  // A prompt that makes the window's memory again needs its latents, as they were kept and stacked.
  if (rollout.prompt_switch != PromptSwitch::kSwap) {
    bytes += 2 * LatentBytes(rollout, rollout.key_plan.window_frames);
  }
  return bytes;
}

uint64_t RotaryBytes(const RolloutSpec& rollout, uint64_t frame_bytes) {
  const int64_t window = rollout.key_plan.window_frames;
  const int64_t frames = rollout.chunk_count == 0
                             ? window
                             : std::min(window, rollout.chunk_count * rollout.chunk.frames);
  return 2 * static_cast<uint64_t>(frames) * frame_bytes;
}

// As text, twice, and as token ids.
uint64_t LaterPromptBytes(const ResolvedSpec& spec) {
  uint64_t bytes = 0;
  for (const PromptChange& change : spec.prompt_changes) {
    bytes += 2 * change.prompt.size() + VideoModel::kPromptTokensMax * sizeof(int32_t);
  }
  return bytes;
}

uint64_t DecoderCacheBytes(const ResolvedSpec& spec, const LatentGrid& grid, const VaeConfig& vae) {
  if (spec.decoder == DecoderKind::kTiny) return TinyDecoderCacheBytes(grid.height, grid.width);
  if (spec.tiled_decode) return TiledCacheBytes(vae, VaeTiling(), grid.height, grid.width);
  return VaeCacheBytes(vae, grid.height, grid.width);
}

uint64_t DecodeScratchBytes(const ResolvedSpec& spec, const LatentGrid& grid,
                            const VaeConfig& vae) {
  const uint64_t decode =
      spec.decoder == DecoderKind::kTiny ? TinyDecoderScratchBytes(grid.height, grid.width)
      : spec.tiled_decode ? TiledScratchBytes(vae, VaeTiling(), grid.height, grid.width)
                          : VaeScratchBytes(vae, grid.height, grid.width);
  if (spec.start_frames == 0) return decode;
  return std::max(decode, VaeEncoderScratchBytes(vae, grid.height, grid.width));
}

}  // namespace

SessionMemory SessionMemory::OfHost() const {
  SessionMemory out = *this;
  for (MemoryUse* part :
       {&out.outbox, &out.sending, &out.start_pixels, &out.encoder_cache, &out.texts, &out.latents,
        &out.start_latents, &out.rotary, &out.decoder_cache, &out.decoding, &out.decode_scratch}) {
    *part = part->OfHost();
  }
  return out;
}

std::vector<std::pair<std::string, MemoryUse>> SessionMemory::ByName() const {
  return {{"outbox", outbox},
          {"chunk being sent", sending},
          {"start frames", start_pixels},
          {"encoder cache", encoder_cache},
          {"texts", texts},
          {"latents", latents},
          {"start latents", start_latents},
          {"rotary tables", rotary},
          {"decoder cache", decoder_cache},
          {"chunk being decoded", decoding},
          {"decoder scratch (shared)", decode_scratch}};
}

absl::StatusOr<SessionMemory> MeasureSession(const ResolvedSpec& spec, const RolloutSpec& rollout,
                                             const VideoModel& model, uint64_t outbox_bytes_max) {
  const LatentGrid& grid = rollout.chunk;
  const auto chunk_frames = static_cast<uint64_t>(LatentGrid::LaterPixelFrames(grid.frames));
  LT_ASSIGN_OR_RETURN(const uint64_t chunk_bytes,
                      CheckedProduct({spec.frame_bytes(), chunk_frames}, "pixels of a chunk"));
  LT_ASSIGN_OR_RETURN(const uint64_t text_bytes, model.prompt_bytes_max());
  const VaeConfig& vae = model.vae_config();
  SessionMemory out;
  uint64_t outbox = std::max(outbox_bytes_max, chunk_bytes);
  uint64_t sending = chunk_bytes;
  if (spec.frame_count != 0) {  // a short take never fills an outbox
    const auto take_bytes = CheckedProduct(
        {spec.frame_bytes(), static_cast<uint64_t>(spec.frame_count)}, "pixels of the take");
    if (take_bytes.ok()) outbox = std::min(outbox, *take_bytes);
    if (take_bytes.ok()) sending = std::min(sending, *take_bytes);
  }
  // As many chunks may wait for the decoder as the outbox could take.
  const uint64_t waiting = (outbox / chunk_bytes + 1) * LatentBytes(rollout, grid.frames);
  out.outbox.host = outbox;
  out.sending.host = sending;
  out.texts = {.host = LaterPromptBytes(spec), .device = (rollout.branch_count() + 1) * text_bytes};
  out.latents.host = LatentsInWork(rollout);
  out.rotary.device =
      model.stage_count() *
      RotaryBytes(rollout, model.stage().transformer().RotaryFrameBytes(grid.height, grid.width));
  out.decoder_cache.device = DecoderCacheBytes(spec, grid, vae);
  out.decoding.host = chunk_bytes + waiting;
  out.decode_scratch.device = DecodeScratchBytes(spec, grid, vae);
  if (spec.start_frames != 0) {
    out.start_pixels.host = spec.start_bytes();
    // As they came, and cut into chunks.
    out.start_latents.host = 2 * LatentBytes(rollout, rollout.start_latents);
    out.encoder_cache.device = VaeEncoderCacheBytes(vae, grid.height, grid.width);
  }
  return out;
}

}  // namespace longtake
