// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What is known of a session, and what one would cost: plain values that cross from the engine to
// the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error_reason.h"
#include "base/status_macros.h"
#include "engine/session/session_spec.h"

namespace longtake {

enum class SessionState {
  kStarting,  // its prompt is being encoded, or the frames it begins with are awaited
  kRunning,
  kPaused,   // by its client
  kBlocked,  // its outbox is full: the reader is slow or away
  kEnded,    // all frames made, or ended by its client; the outbox may still hold some
  kFailed,
  kParked,  // in the store alone, until somebody attaches
};

struct SessionInfo {
  std::string id;
  SessionSpec spec;  // with the defaults filled in
  SessionState state = SessionState::kStarting;
  absl::Status failure;
  int64_t create_wall_nanos = 0;
  int64_t chunk_count = 0;            // decoded so far
  int64_t frame_count = 0;            // decoded so far
  int64_t oldest_chunk_held = 0;      // smallest index a client can attach at
  int64_t base_chunk = 0;             // the first that it can be rewound or forked to
  int64_t next_chunk = 0;             // the first not yet sent
  int64_t expire_wall_nanos = 0;      // 0 while a client is attached
  int64_t durable_through = 0;        // chunks before it will be the same after a crash
  int64_t epoch = 0;                  // how often it was rewound
  bool durable = false;               // a store has it, too
  bool has_gap = false;               // not all of it went there
  std::string damage = {};            // what of it there is damaged; empty: nothing that is known
  std::string snapshot_refusal = {};  // why the last one was not made
  uint64_t outbox_bytes = 0;
  uint64_t start_bytes = 0;  // of the start frames, arrived and recorded
  bool attached = false;
  // Of one that is parked: what made it. Empty: what this server runs.
  std::string model_digest;
  std::string numerics_profile;
};

// What a session costs, known before it is made.
struct SessionEstimate {
  double seconds_per_chunk = 0.0;       // alone on the machine; 0: not known
  double seconds_to_first_frame = 0.0;  // once the prompt is encoded
  double realtime_factor = 0.0;         // seconds of video per second
  uint64_t memory_bytes = 0;            // held for the session, K/V too unless it is in the file
  // What that is, by name; the sum is memory_bytes.
  std::vector<std::pair<std::string, uint64_t>> memory_by_name;
  uint64_t kv_bytes = 0;    // in memory or in the file
  bool kv_in_file = false;  // K/V would come from the file, at most so much with each sweep
  uint64_t kv_file_bytes_per_sweep = 0;
  double kv_file_slowdown = 0.0;  // of the sweep, predicted; 0: not known
  // Its longest way back from the store, predicted (PredictLongestReplay); 0: not known, or there
  // is none; and what the server tries to keep it below.
  double resume_seconds = 0.0;
  double resume_seconds_max = 0.0;
  bool fits_now = false;  // whether CreateSession would admit it at this moment
  std::string refusal;    // why not, when not
  std::optional<Reason> refusal_reason = {};
};

}  // namespace longtake
