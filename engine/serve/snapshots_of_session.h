// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What of a live session is in a snapshot already. The stage's thread only; the answer that is
// awaited comes from the store's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "engine/store/snapshot.h"

namespace longtake {

// Whether a snapshot that was handed over is on disk.
struct SnapshotAnswer {
  Mutex mutex;
  bool there ABSL_GUARDED_BY(mutex) = false;
  std::optional<SnapshotPlaces> places ABSL_GUARDED_BY(mutex) = {};  // none: it is not
};

struct SnapshotsOfSession {
  // A frame's K/V as it was written: another serial of the tables, and it was made anew.
  struct Frame {
    uint64_t serial = 0;
    BulkPlace place = {};
  };
  int64_t chunk = 0;             // of the newest; 0: none
  int64_t written_until = 0;     // chunks that had their clean pass then
  std::vector<int64_t> changes;  // chunks before which the prompt changed since, in order
  std::map<KvFrameName, Frame> kv;

  // One that is on its way: the answer, the frames it has, and how much of changes it covers.
  struct Awaited {
    std::shared_ptr<SnapshotAnswer> answer;
    int64_t chunk = 0;
    int64_t written_until = 0;
    std::map<KvFrameName, uint64_t> serials = {};
    size_t changes = 0;
  };
  std::optional<Awaited> awaited = {};
  int64_t looked_at = 0;  // the chunk before which it was last asked whether one is due
  // Since when the session leaves memory, and whether the one for that was made, if it was worth
  // it.
  std::optional<int64_t> leaves_since = {};
  bool last_made = false;
};

}  // namespace longtake
