// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The public face of the engine: sessions in, chunks out. The table of sessions; owns the stage
// that sweeps, the decode lane beside it and the K/V memory, and asks admission who may come in.
//
// All methods are safe from any thread. None waits for a sweep: where CreateSession and Wake need
// the memory of a session that was parked for them, they say so (making_room.h). A session is
// shared between this table, the stage and the stream that reads it (the one shared_ptr of the
// design).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/kv/kv_stages.h"
#include "engine/serve/admission.h"
#include "engine/serve/caller.h"
#include "engine/serve/decode_lane.h"
#include "engine/serve/departures.h"
#include "engine/serve/engine_stats.h"
#include "engine/serve/id_locks.h"
#include "engine/serve/resume.h"
#include "engine/serve/stage.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/serve/take_journal.h"
#include "engine/session/session.h"
#include "engine/session/told.h"
#include "engine/store/session_store.h"
#include "engine/video/pixel_seconds.h"
#include "engine/video/video_model.h"

namespace longtake {

struct EngineOptions {
  uint64_t kv_bytes_max = uint64_t{1} << 30;      // of all stages, by the number of their layers
  std::vector<uint64_t> kv_bytes_of_stages = {};  // instead, of each
  uint64_t kv_page_bytes = KvPool::kPageBytesDefault;
  // For K/V that the pool cannot hold: a scratch file in this directory, and the memory through
  // which its bytes are read and written. Empty: no file.
  FileSystem* files = nullptr;
  const MemoryPopulator* populator = nullptr;  // of what Create takes; null: the caller's thread
  std::string kv_file_directory = {};
  uint64_t kv_file_bytes_max = 0;
  KvStream::Options kv_stream = {};
  // What a calibration says: of a sweep (any thread; may be empty) and of decoding.
  SweepCostModel::Calibrated predict_sweep = {};
  PixelSeconds decode = {};
  // Everything else a session holds: outbox, decoder cache, text keys, latents.
  uint64_t session_bytes_max = uint64_t{4} << 30;
  // What of it lies in the device's memory; nullopt where that is the host's, and counts there.
  std::optional<uint64_t> session_device_bytes_max = {};
  uint64_t prompt_cache_bytes_max = uint64_t{32} << 20;  // encoded prompts, for sessions to come
  size_t sessions_max = 64;
  uint64_t peer_share_percent = 100;  // of places and memory, for the sessions of one peer
  SessionLimits session;
  // Where events are recorded before they are accepted. Must outlive the engine, and have answered
  // what the engine's sessions gave it before the engine goes.
  EventSink* event_sink = &NoRecords::Get();
  // Keeps the sessions beyond this process, and their events; null: nobody does. As the sink.
  SessionStore* store = nullptr;
  // A session's way back from the store is kept so short by snapshots of it, as far as their bytes
  // per hour allow (0: none are made).
  double resume_seconds_max = 120;
  uint64_t snapshot_bytes_per_hour = uint64_t{32} << 30;
  ResumeObserver on_resume = {};  // before the session goes on
  // Once, for the first snapshot that finds no room; on the stage's thread.
  std::function<void(const std::string& id, const absl::Status& why)> on_snapshot_refused = {};
  SessionEndObserver on_session_end = {};  // what both use must outlive the engine
  SweepObserver on_sweep = {};             // on the stage's thread
};

struct SessionName {
  int64_t create_wall_nanos = 0;
  std::string id;
  friend auto operator<=>(const SessionName&, const SessionName&) = default;
};

struct CreatedSession {
  std::shared_ptr<Session> session;
  bool is_new = true;       // false: it was there already
  bool kv_in_file = false;  // of a new one
};

class Engine {
 public:
  // The model and the clock must outlive the engine. Starts no thread.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(VideoModel& model,
                                                        const EngineOptions& options, Clock& clock);
  ~Engine();

  void Start();
  // Takes no new sessions from now on. Where a store keeps sessions, no chunk is begun either.
  void Drain(int64_t end_nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  // Then: whether no chunk is in work any more.
  bool at_rest() const { return stage_->at_rest() && decode_lane_->idle(); }
  // Ends all sessions with UNAVAILABLE, between two layers, and joins the threads.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Without Start, one turn of stage and decode lane on the caller's thread; false when idle.
  bool Step();

  // What the request means on this model. INVALID_ARGUMENT begins with the field: "width: 100 is
  // not a multiple of 16".
  absl::StatusOr<ResolvedSpec> Resolve(const SessionSpec& spec) const;
  absl::StatusOr<SessionEstimate> Estimate(const ResolvedSpec& spec,
                                           const Caller& caller = {}) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Tokenises the prompts, which may take some milliseconds. The engine chooses an id if it is
  // empty. If there is a session of that id with an equal spec it is returned, so that a client
  // that did not get the answer may ask again; with another spec ALREADY_EXISTS. For a new session
  // RESOURCE_EXHAUSTED when memory, a place or the rest of the peer's share does not suffice,
  // UNAVAILABLE once Drain was called. Where there is a store, may wait for the disk.
  absl::StatusOr<CreatedSession> CreateSession(const ResolvedSpec& spec, std::string id,
                                               const Caller& caller = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A session between two Steps as a value, to go on with in another engine; FAILED_PRECONDITION
  // while a chunk of it or its start is in work. Without Start.
  absl::StatusOr<SavedTake> Save(const Session& session) const;
  // Goes on with it under its id; its bits are those it would have made. Errors as RestoreRollout
  // and CreateSession.
  absl::StatusOr<std::shared_ptr<Session>> Restore(SavedTake take, const Caller& caller = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The session of this id, to be read from this chunk on (-1: the first that was not sent): as it
  // is, or as it comes back from the store. Errors as Load and CreateSession; OUT_OF_RANGE for a
  // chunk that it has not made; HISTORY_LOST when less of it is on disk than was told, before
  // anything happens to it. May wait for the disk, but not where memory has what is asked for.
  absl::StatusOr<std::shared_ptr<Session>> Wake(const std::string& id, int64_t next_chunk,
                                                const Caller& caller = {},
                                                const std::optional<Told>& told = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_FOUND names the id.
  absl::StatusOr<std::shared_ptr<Session>> FindSession(const std::string& id) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What is known of it, with what the store knows: whether it is on disk, and what is damaged
  // there.
  SessionInfo InfoOf(const Session& session) const;
  // In order of creation; those in memory.
  std::vector<std::shared_ptr<Session>> Sessions() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What is known of a session, in memory or parked. As FindSession; may wait for the disk where it
  // is parked.
  absl::StatusOr<SessionInfo> Describe(const std::string& id, const Caller& caller = {}) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same of several, with one reading of the disk; those that are gone are missing, and of
  // those whose specs are damaged the damage is told. UNAVAILABLE while the disk cannot be read. So
  // many of the names were looked at: not all, when specs from the disk exceed these bytes.
  struct SomeSessions {
    std::vector<SessionInfo> sessions;
    size_t looked_at = 0;
  };
  absl::StatusOr<SomeSessions> DescribeSome(std::span<const SessionName> names, uint64_t bytes_max,
                                            const Caller& caller = {}) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ids and times of creation of all sessions, in memory or parked, unsorted. The time is 0 of one
  // whose own row in the store is damaged.
  std::vector<SessionName> Names() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether sessions outlive this process.
  bool keeps_sessions() const { return options_.store != nullptr; }
  // Also from the store; may wait for the disk then.
  absl::Status DeleteSession(const std::string& id, const Caller& caller = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same of this life alone: nothing happens when another one has come of its name, or when it
  // was parked.
  absl::Status DeleteLife(const std::shared_ptr<Session>& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // Checks, tokenises (some milliseconds for a long prompt) and hands an event to the session.
  // Errors as Session::Submit. Waits for the event sink's answer.
  absl::StatusOr<EventAccepted> Submit(Session& session, SessionEvent event,
                                       std::optional<uint64_t> reader = {}) const;
  // The same without waiting: done is called once, maybe on the sink's thread, maybe before Submit
  // returns.
  void Submit(std::shared_ptr<Session> session, SessionEvent event, std::optional<uint64_t> reader,
              SubmitDone done) const;

  // A new session in the store, which is as this one was before the chunk; its id, chosen here if
  // it is empty. One that has ended only shows that again. FAILED_PRECONDITION without a store, as
  // the next two; otherwise as SessionStore::Fork. May wait for the disk.
  absl::StatusOr<std::string> Fork(const std::string& id, ForkRequest request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The session is parked, and goes on from before this chunk when it comes back.
  absl::Status Rewind(const std::string& id, int64_t chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // Its errors, without doing it; and its price: seconds from the next attach, behind that chunk,
  // until it goes on. Nothing while that is not known, or when another model made it. May wait for
  // the disk.
  absl::StatusOr<std::optional<double>> ForeseeRewind(const std::string& id, int64_t chunk) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // left is called once and without locks, unless there is an error: when the session's state is on
  // disk as far as it gets there (Snapshots::Leave), on the stage's thread, or here where nothing
  // is to be waited for. Also for one that is leaving already.
  absl::Status Park(const std::string& id, std::function<void()> left = {})
      ABSL_LOCKS_EXCLUDED(mutex_);

  EngineStats stats() const;
  const VideoModel& model() const { return model_; }

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    uint64_t order = 0;
    Reservation place;  // of its peer's share
  };

  Engine(VideoModel& model, const EngineOptions& options, Clock& clock);
  absl::Status OpenKv();
  // Whether the session can be asked this; the tokens of its prompt.
  absl::StatusOr<std::vector<int32_t>> CheckEvent(const Session& session,
                                                  const SessionEvent& event) const;
  // The session of this id, for who asks again; ALREADY_EXISTS when it is another.
  absl::StatusOr<std::optional<CreatedSession>> FindSame(const ResolvedSpec& spec,
                                                         const std::string& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same of the store's sessions, which come back. Under the id's lock.
  absl::StatusOr<std::optional<CreatedSession>> FindParked(const ResolvedSpec& spec,
                                                           const std::string& id,
                                                           const Caller& caller);
  static absl::Status SessionExists(const std::string& id);
  // Somebody else is at this session: worth asking again.
  static absl::Status Busy(const std::string& id);
  // Those of a new session and of its changes. INVALID_ARGUMENT names the field.
  absl::Status TokenizePrompts(const ResolvedSpec& spec, Arrival* arrival) const;
  // UNAVAILABLE while draining, RESOURCE_EXHAUSTED when all places are taken.
  absl::Status CheckPlaces() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // What was told of any session so far is on disk; UNAVAILABLE where that fails, for this one. May
  // wait for the disk.
  absl::Status WriteDown(const std::string& id) const;
  // Whether this session of the store can go back to this chunk, of all that was told of it.
  absl::Status CheckWritten(const std::string& id, int64_t chunk) const;
  // The error, but for a chunk that is not there yet as it waits for the disk: UNAVAILABLE.
  absl::Status UnlessUnwritten(const std::string& id, const absl::Status& status) const;
  // The session leaves memory; what is left of it is written down no more. Nothing happens when it
  // is not the one of its name any more: somebody else has ended it meanwhile.
  void EndLife(const std::shared_ptr<Session>& session, const std::string& what)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of its lives before nothing is written down from now on.
  SessionKey BeginLife(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnSessionEnd(const SessionKey& session, const absl::Status& status);
  // Writes a new session down before anybody hears of it. SESSION_DELETED when somebody who knew
  // its id has deleted it meanwhile.
  absl::Status Store(Session& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // The session as it is, if it can be read from this chunk on, from memory; otherwise null.
  // HISTORY_LOST of any that is in memory.
  absl::StatusOr<std::shared_ptr<Session>> FindAwake(const std::string& id, int64_t next_chunk,
                                                     const std::optional<Told>& told) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The id's lock; SERVER_BUSY, as MakingRoom, where somebody has it and the caller can ask again:
  // he keeps no thread that others need.
  absl::StatusOr<std::unique_ptr<IdLocks::Hold>> HoldId(const std::string& id,
                                                        const Caller& caller);
  // Under the id's lock.
  absl::StatusOr<CreatedSession> CreateAlone(const ResolvedSpec& spec, const std::string& id,
                                             const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status DeleteAlone(const std::string& id, bool was_here) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether there is one in memory.
  bool CancelDeleted(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<Session>> WakeAlone(const std::string& id, int64_t next_chunk,
                                                     const Caller& caller,
                                                     const std::optional<Told>& told)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<Session>> Resume(StoredSession stored, int64_t next_chunk,
                                                  const Caller& caller,
                                                  const std::optional<Told>& told, Arrival arrival)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsSentAndGone(const Session& session, int64_t next_chunk) const;
  // Whether it failed of something that may pass, and the store has all that it goes on from.
  bool MayGoOn(const Session& session) const;
  // With a store, and where such a session would not be admitted, the idlest of those that nobody
  // reads is parked, and the answer is MakingRoom until its memory is back. OK where there is room,
  // or nobody to park: admission tells.
  absl::Status MakeRoom(const ResolvedSpec& spec, const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status MakeRoomFor(const std::string& id, const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  bool ParkIdlest() ABSL_LOCKS_EXCLUDED(mutex_);
  // A place and memory for a session. Errors as CreateSession.
  absl::StatusOr<Admitted> Admit(const ResolvedSpec& spec, const Caller& caller)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Puts a session that was admitted into the table, with its arrival. SERVER_BUSY when one of its
  // name lives there: none is lost from sight.
  absl::Status Enter(const ResolvedSpec& spec, const std::string& id, Admitted admitted,
                     Arrival* arrival) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a session left memory a moment ago that is not back yet.
  bool IsRoomOnItsWay() const ABSL_LOCKS_EXCLUDED(mutex_);

  VideoModel& model_;
  const EngineOptions options_;
  Clock& clock_;
  std::unique_ptr<KvStages> kv_;
  std::unique_ptr<Admission> admission_;
  const TakeJournal journal_;
  // With a store a session is made, forked, comes back, is parked, rewound or deleted under its
  // id's lock. One that nobody reads is parked for others without it (MakeRoom). Taken before
  // mutex_.
  IdLocks id_locks_;
  mutable Mutex mutex_;
  std::map<std::string, Entry> sessions_ ABSL_GUARDED_BY(mutex_);
  std::weak_ptr<Session> leaving_ ABSL_GUARDED_BY(mutex_);  // the last that was parked, and when
  int64_t leaving_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_order_ ABSL_GUARDED_BY(mutex_) = 1;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  SweepCostModel sweep_costs_;
  Departures departures_;
  WakeUp wake_up_;
  // Last, so that their threads end before what they use.
  std::unique_ptr<DecodeLane> decode_lane_;
  std::unique_ptr<Stage> stage_;
};

}  // namespace longtake
