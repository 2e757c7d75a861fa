// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// When a session's take is written down, so that its way back stays short: once a replay from the
// newest snapshot would take too long, as far as the hour's bytes allow; when its stored history
// has a gap, behind that; and when the session leaves memory. The store reads K/V from where it
// lies, while the session goes on; a frame that the session no longer holds stays until it is
// written, and where there is no room for that the snapshot is given up. One of a session at a
// time. The stage's thread only, between two sweeps.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/kv/kv_tables.h"
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
  // Told whenever the store answered; any thread.
  std::function<void()> on_answer = {};
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
  // All must outlive it.
  Snapshots(const SnapshotOptions& options, VideoModel& model, KvTables& kv,
            const SweepCostModel& costs, Clock& clock, StatsBoard& board);

  // At a chunk's start.
  void MakeIfDue(LiveSession& live);
  // The session leaves memory, or does nothing more in this process: one more, if the way back
  // would be worth it, outside of the hour's bytes. What was done of a chunk in work is lost, where
  // the take allows that. To be called until it says that nothing of the session is on its way any
  // more, which takes kLeaveNanosMax at most; until then its K/V must stay.
  bool Leave(LiveSession& live);
  static constexpr int64_t kLeaveNanosMax = 60LL * 1'000'000'000;
  // A session comes back from a snapshot, whose frames it holds from now on; 0: from none.
  void Begin(LiveSession& live, int64_t chunk, SnapshotFrames frames);

 private:
  bool CanMake(LiveSession& live) const;
  void MakeLast(LiveSession& live);
  // Takes in what became of the one before.
  void TakeAnswer(LiveSession& live);
  double ReplaySeconds(LiveSession& live) const;
  // Of its K/V.
  uint64_t BytesToWrite(LiveSession& live) const;
  enum class Makes { kDue, kLast, kAnew };
  absl::Status Make(LiveSession& live, const RolloutState& state, uint64_t kv_bytes, Makes makes);
  // Whether the session's stored history has a gap. It begins anew with a snapshot, if it may: one
  // that the chunks follow that its reader may still ask for.
  bool HasGap(LiveSession& live, const RolloutState& state);
  // What its reader may still ask for.
  NeededChunks NeededBy(LiveSession& live) const;
  // Whether the newest snapshot has the frame as it is held now.
  bool IsWritten(const LiveSession& live, const KvFrameName& name) const;
  SnapshotsOfSession::Awaited PinFrames(LiveSession& live, NewSnapshot* out);
  void Refuse(LiveSession& live, const absl::Status& why);

  const SnapshotOptions options_;
  VideoModel& model_;
  KvTables& kv_;
  const SweepCostModel& costs_;
  Clock& clock_;
  StatsBoard& board_;
  HourlyBytes hour_;
  bool told_ = false;
};

}  // namespace longtake
