// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whether a session fits, and what it will cost: the arithmetic on memory and time that is done
// before a session exists. What is admitted is reserved; the reservations go to the objects that
// will hold the memory. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/status_macros.h"
#include "engine/kv/kv_stages.h"
#include "engine/serve/caller.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/peer_shares.h"
#include "engine/serve/resume_cost.h"
#include "engine/serve/session_memory.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/session/memory_ledger.h"
#include "engine/session/resolved_spec.h"
#include "engine/session/session.h"
#include "engine/session/session_info.h"
#include "engine/video/rollout.h"
#include "engine/video/video_model.h"

namespace longtake {

// A session's place and memory, each part for the object that will hold it.
struct Admitted {
  Reservation place;     // in its peer's share; empty where there are no shares
  Reservation kv_share;  // of its K/V in that share; empty likewise
  KvShares kv;           // room for its frames
  MemoryReservation rollout_memory;
  SessionReservations session_memory;
  MemoryReservation decoder_memory;
};

class Admission {
 public:
  struct Options {
    // Everything a session holds beside K/V; without a number for the device all is the host's.
    uint64_t session_bytes_max = 0;
    std::optional<uint64_t> session_device_bytes_max = {};
    uint64_t outbox_bytes_max = 0;
    uint64_t sessions_max = 0;          // for the places of a peer's share
    uint64_t peer_share_percent = 100;  // of places and memory, for the sessions of one peer
    // Of servers that keep sessions.
    std::optional<SnapshotLimits> snapshots = {};
  };

  // Model and K/V must outlive it.
  Admission(const VideoModel& model, const KvStages& kv, Options options);

  // RESOURCE_EXHAUSTED when memory, or what is left of the caller's share, does not suffice now;
  // with the reason SESSION_TOO_LARGE when it never will. One thread at a time.
  absl::StatusOr<Admitted> Admit(const ResolvedSpec& spec, const Caller& caller);
  // Where the times of an estimate come from.
  struct Costs {
    const SweepCostModel& sweeps;
    const LaneCosts& lanes;
  };
  // Changes nothing. fits_now says nothing of the engine's places, only of the share's.
  absl::StatusOr<SessionEstimate> Estimate(const ResolvedSpec& spec, const Costs& costs,
                                           const Caller& caller);

  // Bytes beside K/V that are promised to sessions now.
  MemoryUse session_bytes() const { return ledger_.bytes_taken(); }

 private:
  struct Needs {
    SessionMemory parts;
    MemoryUse held;
    MemoryUse working;  // once for all sessions
  };
  absl::StatusOr<Needs> Measure(const ResolvedSpec& spec, const RolloutSpec& rollout) const;
  absl::StatusOr<uint64_t> KvBytes(const RolloutSpec& rollout, bool in_file) const;
  // Whether a session of this size fits the share; kv_in_file says which of its ledgers K/V takes.
  static absl::Status CheckShares(const PeerShare& share, const Needs& needs, uint64_t kv_bytes,
                                  bool kv_in_file);
  absl::Status CheckSize(const Needs& needs) const;
  // What K/V in the file means for the session's sweeps.
  static void EstimateKvFile(const RolloutSpec& rollout, const SweepCostModel& sweeps,
                             SessionEstimate* out);
  void EstimateTime(const ResolvedSpec& spec, const RolloutSpec& rollout, const Costs& costs,
                    SessionEstimate* out) const;

  const VideoModel& model_;
  const KvStages& kv_;
  const Options options_;
  const MemoryLedger ledger_;
  PeerShares shares_;
};

}  // namespace longtake
