// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the store writes down of a session, in the order in which it happened: plain values, and
// their bytes. From the records of a session follows everything it showed (stored_session.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/session/resolved_spec.h"
#include "engine/session/session_event.h"
#include "engine/take/latents.h"

namespace longtake {

// Latents that lie beside the records: what they are.
struct LatentsRef {
  int64_t channels = 0;
  LatentGrid grid = {.frames = 0};
  Hash128 hash = {};  // XXH3-128 of the values' bytes
  // Of the values.
  int64_t bytes() const { return channels * grid.volume() * static_cast<int64_t>(sizeof(float)); }
  friend bool operator==(const LatentsRef&, const LatentsRef&) = default;
};
LatentsRef RefOf(const Latents& latents);

// The first record.
struct SessionCreated {
  ResolvedSpec spec;
  std::string model_digest;      // what its bits depend on besides the spec
  std::string numerics_profile;  // in which it is computed
  int64_t create_wall_nanos = 0;
  std::string decoder_digest = {};  // what its pixels depend on besides its latents
  friend bool operator==(const SessionCreated&, const SessionCreated&) = default;
};

// An event holds from this chunk on.
struct EventHolds {
  uint64_t sequence = 0;
  int64_t chunk = 0;
  // Of a prompt: it is what is shown from there on, and no later one that holds there, too.
  bool shown = false;
  friend bool operator==(const EventHolds&, const EventHolds&) = default;
};

// The frames it begins with are latents now.
struct TakeStarted {
  LatentsRef latents;
  friend bool operator==(const TakeStarted&, const TakeStarted&) = default;
};

// A chunk's latents are final.
struct ChunkSettled {
  int64_t chunk = 0;
  LatentsRef latents;
  friend bool operator==(const ChunkSettled&, const ChunkSettled&) = default;
};

// A chunk's pixels were made.
struct ChunkDecoded {
  int64_t chunk = 0;
  int64_t end_frame = 0;  // the first pixel frame after it
  Hash128 digest = {};
  Hash128 chain = {};  // of this digest and those before it
  int64_t sent = 0;    // chunks that had been sent by then
  friend bool operator==(const ChunkDecoded&, const ChunkDecoded&) = default;
};

// Everything was made, or its client ended it.
struct SessionEnded {
  friend bool operator==(const SessionEnded&, const SessionEnded&) = default;
};

// The second record of a fork: it is as its parent had been after so many of its records, before
// this chunk.
struct SessionForked {
  int64_t parent = 0;  // the parent's number
  int64_t records = 0;
  Hash128 link = {};  // of the last of them
  int64_t chunk = 0;
  friend bool operator==(const SessionForked&, const SessionForked&) = default;
};

// It goes on from before this chunk; what came after counts no more.
struct SessionRewound {
  int64_t chunk = 0;
  int64_t epoch = 0;  // chunks of this number from now on
  friend bool operator==(const SessionRewound&, const SessionRewound&) = default;
};

// It goes on in another numerics profile than it was made in: pixels from this chunk on are made
// anew, and what is made again is not what it was.
struct NumericsChanged {
  std::string numerics_profile;
  int64_t chunk = 0;
  int64_t first_frame = 0;  // its first pixel frame
  friend bool operator==(const NumericsChanged&, const NumericsChanged&) = default;
};

// Not all that came before it could be kept: history begins anew, with a snapshot that is committed
// with this record. Nothing goes back behind that, and of chunks before `first` nothing is left.
struct HistoryBegun {
  int64_t base = 0;   // the snapshot's chunk
  int64_t first = 0;  // the next to be settled
  // The chunk before that one as it was decoded, where that was not written before.
  std::optional<ChunkDecoded> before = {};
  friend bool operator==(const HistoryBegun&, const HistoryBegun&) = default;
};

// It took too much: the latents of chunks before `first` are gone, and nothing goes back behind the
// snapshot of chunk `base`, which is there.
struct HistoryForgotten {
  int64_t base = 0;
  int64_t first = 0;
  friend bool operator==(const HistoryForgotten&, const HistoryForgotten&) = default;
};

// An AcceptedEvent is kept without its tokens.
using Record = std::variant<SessionCreated, AcceptedEvent, EventHolds, TakeStarted, ChunkSettled,
                            ChunkDecoded, SessionEnded, SessionForked, SessionRewound,
                            NumericsChanged, HistoryBegun, HistoryForgotten>;

// A record as it is kept: what it is, and its message of proto/longtake/store/v1/records.proto.
struct RecordBytes {
  int64_t kind = 0;
  std::string body;
  friend bool operator==(const RecordBytes&, const RecordBytes&) = default;
};
RecordBytes EncodeRecord(const Record& record);
// DATA_LOSS for bytes that are no record, of an unknown kind or with sizes that no session has.
absl::StatusOr<Record> DecodeRecord(int64_t kind, std::string_view body);

}  // namespace longtake
