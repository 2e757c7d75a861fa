// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the decode lane (engine/serve/decode_lane.h) is given and gives back: latents to decode, and
// frames to encode that a take begins with. Plain values but for DecodeState.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "base/status_macros.h"
#include "engine/session/session.h"
#include "engine/store/record.h"
#include "engine/take/chunk_decoder.h"
#include "engine/take/decoder_state.h"
#include "engine/take/latents.h"

namespace longtake {

// What decoding keeps of a session between chunks. Only the decode lane's thread touches it; the
// counter may be read anywhere.
struct DecodeState {
  MemoryReservation memory;  // what its caches hold; outlives them
  DecoderState decoder;
  std::atomic<int64_t> chunks_in_flight{0};
  std::optional<double> turn_tag;  // where its next chunk's turn starts; under the lane's lock
  // Of a session that comes back: what its chunks were that are decoded again, from
  // decoder.chunk on.
  std::deque<ChunkDecoded> before = {};
};

struct DecodeJob {
  std::shared_ptr<Session> session;
  std::shared_ptr<DecodeState> state;
  int64_t chunk = 0;
  Latents latents;
  bool last = false;     // the session ends after it
  bool warm_up = false;  // the decoder needs it for what follows; it has no digest
  bool unseen = false;   // it is not for the client
};

// Frames a session begins with, on their way to latents, a latent at a time.
struct StartJob {
  std::shared_ptr<Session> session;
  StartFrames frames;
  StartProgress progress = {};
  double turn_tag = 0;  // of its next latent
};

// The latents a session begins with, or why there are none.
struct FinishedStart {
  std::shared_ptr<Session> session;
  absl::StatusOr<Latents> latents;
};

DecodeChoice ChoiceOf(const ResolvedSpec& spec);

}  // namespace longtake
