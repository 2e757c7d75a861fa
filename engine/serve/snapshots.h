// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// When a session's take is written down, so that its way back stays short: once a replay from the
// newest snapshot would take too long, as far as the hour's bytes allow; and when the session
// leaves memory. What is copied counts as bytes on the way to the disk, and one that finds no room
// there is left out. The stage's thread only, between two sweeps.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/kv/kv_table.h"
#include "engine/serve/live_session.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/store/session_store.h"
#include "engine/video/video_model.h"

namespace longtake {

struct SnapshotOptions {
  SessionStore* store = nullptr;  // or null
  double resume_seconds_max = 120;
  uint64_t bytes_per_hour = uint64_t{32} << 30;  // 0: none are made
  // Told once, when the first one finds no room.
  std::function<void(const std::string& id, const absl::Status& why)> on_refused = {};
};

// Bytes of the last hour, of a limited number.
class HourlyBytes {
 public:
  explicit HourlyBytes(uint64_t bytes_max) : bytes_max_(bytes_max) {}
  bool HasRoom(uint64_t bytes, int64_t now_nanos);
  void Take(uint64_t bytes, int64_t now_nanos);

 private:
  const uint64_t bytes_max_;
  uint64_t sum_ = 0;
  std::deque<std::pair<int64_t, uint64_t>> taken_;  // when, and how many
};

class Snapshots {
 public:
  // All must outlive it; kv_stream is null where no K/V lives in a file.
  Snapshots(const SnapshotOptions& options, const VideoModel& model, const KvTable& kv,
            KvStream* kv_stream, const SweepCostModel& costs, Clock& clock, StatsBoard& board);

  // At a chunk's start.
  void MakeIfDue(LiveSession& live);
  // The session leaves memory: one more, if the way back would be worth it, outside of the hour's
  // bytes. What was done of a chunk in work is lost, where the take allows that.
  void MakeLast(LiveSession& live);
  // The K/V that a session brought along is that of a snapshot.
  void Begin(LiveSession& live, int64_t chunk, const std::map<KvFrameName, BulkPlace>& kv) const;

 private:
  bool CanMake(LiveSession& live) const;
  // Takes in what became of the one before.
  static void TakeAnswer(SnapshotsOfSession& snapshots);
  double ReplaySeconds(LiveSession& live) const;
  uint64_t BytesToWrite(LiveSession& live, const RolloutState& state) const;
  absl::Status Make(LiveSession& live, const RolloutState& state, uint64_t bytes);
  absl::Status CopyFrames(LiveSession& live, NewSnapshot* out) const;
  void Refuse(LiveSession& live, const absl::Status& why);

  const SnapshotOptions options_;
  const VideoModel& model_;
  const KvTable& kv_;
  KvStream* const kv_stream_;
  const SweepCostModel& costs_;
  Clock& clock_;
  StatsBoard& board_;
  HourlyBytes hour_;
  bool told_ = false;
};

}  // namespace longtake
