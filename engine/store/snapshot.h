// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A take as it was between two sweeps, as the store keeps it: what is small in a row of the
// database, latents and K/V in bulk files beside it. It shortens the way back of a session and
// nothing more: everything in it follows from the session's records, too. Neither the decoder is
// part of it, whose caches come again from logged latents, nor are events that wait, which are
// records. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "engine/kv/kv_image.h"
#include "engine/store/stored_session.h"
#include "engine/take/take_prompts.h"
#include "engine/video/rollout_state.h"
#include "storage/bulk/bulk_file.h"

namespace longtake {

// From where in a session's records a take goes on.
struct SnapshotPoint {
  int64_t chunk = 0;  // the next to be finished
  // The events that held already: so many of StoredSession::applied, the last of them with this
  // number; and of the spec's prompt changes.
  int64_t events = 0;
  uint64_t last_event = 0;
  int64_t changes = 0;
  // Of the latents of the chunk before, as LatentsRef::hash: it was made in this past.
  Hash128 before = {};
  friend bool operator==(const SnapshotPoint&, const SnapshotPoint&) = default;
};

// Whether a session with these records went through this point and can go on from it.
bool LiesOnTheWayOf(const StoredSession& session, const SnapshotPoint& point);

struct Snapshot {
  SnapshotPoint point;
  RolloutState rollout;
  TakePrompts prompts;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

// Where bytes lie: in a file of the store's.
struct BulkPlace {
  std::string file;
  BulkExtent extent = {};
  friend bool operator==(const BulkPlace&, const BulkPlace&) = default;
};

struct SnapshotPlaces {
  BulkPlace latents = {};                    // nowhere when there are none
  std::map<KvFrameName, BulkPlace> kv = {};  // of all frames that the rollout names
  std::set<std::string> Files() const;
};

// Frames that are in memory or the K/V file again, and where they came from.
struct SnapshotFrame {
  KvFrames parts;
  BulkPlace place = {};
};
using SnapshotFrames = std::map<KvFrameName, SnapshotFrame>;

// The rollout's latents in the order in which they are written, and how many bytes they are.
std::vector<const Latents*> AllLatents(const RolloutState& rollout);
uint64_t LatentBytesOf(const RolloutState& rollout);

std::string EncodeSnapshot(const Snapshot& snapshot, const SnapshotPlaces& places);
// DATA_LOSS for what EncodeSnapshot does not give. Nothing is allocated from sizes that the bytes
// do not have.
absl::StatusOr<SnapshotPlaces> DecodePlaces(std::string_view body);
absl::StatusOr<SnapshotPoint> DecodePoint(std::string_view body);
// latents are the bytes of AllLatents. Whether it fits a take is not asked here.
absl::StatusOr<Snapshot> DecodeSnapshot(std::string_view body, std::span<const std::byte> latents);

}  // namespace longtake
