// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/delivery.h"

#include <optional>
#include <utility>

#include "engine/model/vae/latent_grid.h"

namespace longtake {
namespace {

uint64_t ChunkBytesMax(const ResolvedSpec& spec, int64_t chunk_frames) {
  return spec.frame_bytes() * static_cast<uint64_t>(LatentGrid::LaterPixelFrames(chunk_frames));
}

}  // namespace

SessionState Delivery::StateOf(LiveSession& live) const {
  if (!live.take().at_chunk_start()) return SessionState::kRunning;
  if (live.paused) return SessionState::kPaused;
  const ResolvedSpec& spec = live.session().spec();
  const uint64_t bytes = ChunkBytesMax(spec, chunk_frames_);
  const auto in_flight = static_cast<uint64_t>(live.arrival.decode->chunks_in_flight.load());
  const bool has_room = live.session().HasRoom(bytes, in_flight * bytes);
  return has_room ? SessionState::kRunning : SessionState::kBlocked;
}

bool Delivery::Tell(LiveSession& live, const FinishedChunk& chunk) {
  live.past.before = RefOf(chunk.latents).hash;
  if (live.is_new(chunk)) {
    journal_.Settled(live.arrival.session, chunk.index, chunk.latents);
    return true;
  }
  const absl::Status same = live.CheckAgain(chunk);
  if (!same.ok()) {
    FailSession(live, same, board_);
    return false;
  }
  journal_.SettledBefore(live.session(), chunk.index);
  return true;
}

void Delivery::Decode(LiveSession& live, FinishedChunk chunk) {
  if (chunk.index < live.chunks.decode_from) return;
  const bool last = live.take().done() && chunk.index + 1 == live.take().chunk();
  decode_lane_.Put({.session = live.arrival.session,
                    .state = live.arrival.decode,
                    .chunk = chunk.index,
                    .latents = std::move(chunk.latents),
                    .last = last,
                    .warm_up = chunk.index < live.chunks.digest_from,
                    .unseen = chunk.index < live.chunks.show_from});
}

void Delivery::DecodeAgain(LiveSession& live) {
  while (!live.done()) {
    if (!live.replay->decodes()) {
      live.ending |= live.replay->ending;
      live.FinishReplay();
      return;
    }
    const SessionState state = StateOf(live);
    live.session().SetState(state);
    if (state != SessionState::kRunning) return;
    absl::StatusOr<std::optional<FinishedChunk>> chunk = live.TakeDecodedAgain();
    if (!chunk.ok()) return FailSession(live, chunk.status(), board_);
    if (!chunk->has_value()) return;
    journal_.SettledBefore(live.session(), (**chunk).index);
    Decode(live, **std::move(chunk));
  }
}

}  // namespace longtake
