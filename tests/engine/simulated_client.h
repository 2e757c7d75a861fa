// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The client of one session of a simulated server, as far as it matters what it was told: the
// chunks it got, the controls it asked for and their receipts. It holds the server to all of that,
// over however many processes, and to what the model says the frames have to be.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/serve/engine.h"
#include "tests/engine/hash_model.h"

namespace longtake {

// What all clients of a simulation share.
struct SimulatedWorld {
  explicit SimulatedWorld(uint64_t seed) : random(seed) {}
  uint64_t Below(uint64_t end) { return random() % end; }
  bool Chance(uint64_t per_mille) { return Below(1000) < per_mille; }
  void Fail(const std::string& what) {
    if (problem.empty()) problem = what;
  }

  std::mt19937_64 random;
  ManualClock clock;
  const bool log = std::getenv("LONGTAKE_LOG") != nullptr;  // to stderr
  std::string problem;                                      // the first, if there is any
  bool dead = false;         // the process is: what it says from now on nobody hears
  bool disk_failed = false;  // a call failed since the process began: not all it said will last
  bool damaged = false;      // the disk lied: a session may be refused, but not be another
  uint64_t next_control = 1;
  uint64_t chunks_read = 0;
  // Those of which a scrub has named damage, or of what they came from; nothing: not all was read.
  std::optional<std::set<std::string>> named = {};
  bool forgets = false;   // sessions that take too much begin later than with their first chunk
  bool may_miss = false;  // it may have lost what it had, without a trace
  uint64_t refused = 0;   // sessions, for damage that was named
  uint64_t missed = 0;    // sessions that are not what their clients know, so that these noticed
};

class SimulatedClient {
 public:
  SimulatedClient(SimulatedWorld& world, std::string id, const ResolvedSpec& spec,
                  std::vector<uint8_t> start);

  const std::string& id() const { return id_; }
  const ResolvedSpec& spec() const { return spec_; }
  bool attached() const { return session_ != nullptr; }
  bool gone() const { return gone_; }
  int64_t chunks() const { return std::ssize(chunks_); }

  // The call that makes, deletes or rewinds the session got no answer, or an error that says
  // nothing of what became of it.
  void MayBeGone() { may_be_gone_ = true; }
  void MayBeRewound(int64_t chunk);
  bool may_be_rewound() const { return may_be_rewound_.has_value(); }
  // It was made, deleted or rewound.
  void IsThere() { may_be_gone_ = false; }
  void Rewound(int64_t chunk);
  // Not all of it could be written down: what it was may begin later than with its first chunk.
  void HasGap() { had_gap_ = true; }
  bool may_begin_later() const { return had_gap_ || world_->forgets; }
  // A fork of it from before this chunk, of those that were read.
  SimulatedClient Fork(std::string id, int64_t chunk, bool ended) const;

  // Reads on, or again from an earlier chunk; repeats what it got no second receipt for.
  void Attach(Engine& engine, int64_t next_chunk);
  void Ask(Engine& engine, SessionEvent event);
  // So many more bytes of the frames that it begins with, if they are still to come.
  void SendStart(size_t bytes_max);
  // Some outputs, as far as there are any; whether there were.
  bool Read(size_t outputs_max);
  // With a word, or as one whose machine is off.
  void Leave(bool with_a_word);
  // Nothing is left of the server but what is on its disk.
  void ServerIsGone();

  bool ended() const { return ended_; }
  // Against the model: the chunks so far.
  void CheckFrames(HashModel& model);

 private:
  struct Control {
    SessionEvent event;
    uint64_t sequence = 0;  // 0: it was not accepted yet
    bool lasts = false;     // its first receipt said so
    std::optional<int64_t> applied = {};
    // Of one that names its frame, once it came back from the disk: no later than from here on.
    int64_t latest = std::numeric_limits<int64_t>::max();
  };

  template <typename... Args>
  void Log(const Args&... args) const;
  void Fail(const std::string& what);
  // Which of the things that may have happened did; whether the session is there.
  bool LookAt(const absl::StatusOr<SessionInfo>& info);
  void KnowLatest(int64_t made);
  bool IsExpected(const absl::Status& status);
  // The disk lost some of it and nothing shows that but what its client knows; whether it may have.
  bool Miss();
  void FailOrMiss(const std::string& what);
  void CutAt(int64_t chunk);
  // What the server said of this may have gone with its memory.
  void ForgetWhatMayBeLost();
  // From this chunk on nothing is there.
  void ForgetFrom(int64_t chunk);
  // Or it is what is left, where its history begins later meanwhile; whether that is so.
  bool RememberWhatMayBeLost();
  void Repeat(Engine& engine);
  void Submit(Engine& engine, const SessionEvent& event);
  void TakeAnswer(uint64_t control_id, const absl::StatusOr<EventAccepted>& answer);
  void HearApplied(uint64_t control_id, int64_t chunk);
  void TakeHeard(int64_t chunk_max);
  void TakeApplied(Control& control, int64_t chunk);
  void TakeChunk(const MediaChunk& chunk);
  void TakeEnd(const absl::Status& status);
  Control* Find(uint64_t control_id);
  std::optional<int64_t> ChunksInAll() const;

  SimulatedWorld* world_;
  std::string id_;
  ResolvedSpec spec_;
  std::vector<uint8_t> start_;
  uint64_t start_sent_ = 0;
  uint64_t start_kept_ = 0;  // that were said to be there
  bool gone_ = false;
  bool may_be_gone_ = false;
  std::optional<int64_t> may_be_rewound_;
  std::optional<int64_t> ended_fork_;  // it ended there
  int64_t epoch_ = 0;
  std::vector<Hash128> chunks_;
  std::vector<Control> controls_;
  int64_t durable_through_ = 0;
  bool ended_ = false;
  bool had_gap_ = false;
  // What was forgotten when a server was gone.
  struct Forgotten {
    std::vector<Hash128> chunks = {};
    std::vector<Control> controls = {};
  };
  Forgotten forgotten_;

  std::shared_ptr<Session> session_;
  std::weak_ptr<Session> last_session_;
  uint64_t reader_ = 0;
  int64_t next_ = 0;
  std::vector<std::pair<uint64_t, int64_t>> heard_;  // second receipts that do not count yet
  bool shown_again_ = false;  // in this process the session began at an earlier chunk
};

}  // namespace longtake
