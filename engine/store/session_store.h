// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions on disk: what was promised to a client is written here before the client hears of it, so
// that a process that is killed has lost nothing. Small things lie in a database in the directory
// (session_tables.h); the directory belongs to one process at a time.
//
// What is handed over is written in this order, by one thread (commit_queue.h); done calls come on
// that thread, without locks. A disk that fails does not stop sessions: done says that nothing is
// durable, and what was handed over waits, up to Options::waiting_bytes_max.
//
// Any thread; without Start as the queue.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/session/event_sink.h"
#include "engine/store/commit_queue.h"
#include "engine/store/session_tables.h"
#include "engine/store/store_database.h"
#include "engine/store/stored_session.h"
#include "engine/store/stored_snapshots.h"
#include "storage/directory_lock.h"

namespace longtake {

// What is known of a session without reading all of it.
struct StoredSummary {
  SessionRow row;
  SessionCreated created;
};

// What a fork is to be.
struct ForkRequest {
  std::string id;
  int64_t chunk = 0;                         // the first that is its own
  bool ended = false;                        // it has come to its end there
  std::optional<MediaKind> media_kind = {};  // empty: as its parent's
};

class SessionStore final : public EventSink, private Transactions {
 public:
  struct Options {
    FileSystem* files = nullptr;
    std::string directory = {};
    std::string holder = {};  // named to a second process that wants the directory
    std::string vfs = {};     // SQLite's; empty: its own
    // How long a session that nobody has in memory is kept.
    int64_t retention_nanos = 24LL * 3600 * 1'000'000'000;
    uint64_t session_bytes_max = uint64_t{16} << 30;  // of one session
    uint64_t bytes_max = uint64_t{64} << 30;          // of all
    uint64_t waiting_bytes_max = uint64_t{256} << 20;
    // Called on the store's thread when the disk begins to fail, and when it is back (OK).
    std::function<void(const absl::Status& status)> on_disk = {};
  };
  using Done = CommitQueue::Done;

  // FAILED_PRECONDITION names the process that has the directory; DATA_LOSS what is damaged.
  static absl::StatusOr<std::unique_ptr<SessionStore>> Open(const Options& options, Clock& clock);
  ~SessionStore() override;

  void Start() { queue_.Start(); }
  void Stop() { queue_.Stop(); }
  bool Step() { return queue_.Step(); }

  // --- What lives here, as it was last written

  // In order of creation.
  std::vector<SessionRow> Sessions() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Contains(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // And whether all that was handed over of it is written or will be soon: it can be taken out of
  // memory.
  bool IsKept(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the disk takes what it is given.
  bool durable() const { return queue_.stats().durable; }
  // NOT_FOUND, or DATA_LOSS.
  absl::StatusOr<StoredSummary> Describe(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // After all that was handed over before. NOT_FOUND, or DATA_LOSS for this session alone.
  absl::StatusOr<StoredSession> Load(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Latents> LoadLatents(const StoredLatents& stored) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same without waiting: done is called as a Done is.
  void ReadLatents(const StoredLatents& stored, std::function<void(absl::StatusOr<Latents>)> done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // --- A session's life

  // Both are durable when they return, or nothing has happened. ALREADY_EXISTS,
  // RESOURCE_EXHAUSTED when the store is full, UNAVAILABLE when the disk does not take it.
  absl::Status Create(const SessionKey& session, const SessionCreated& created)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Delete(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // A new session that is as this one was before the chunk; it takes no more room than a record
  // until it goes its own way. OUT_OF_RANGE when the chunk was not made.
  absl::Status Fork(const std::string& id, const ForkRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // The errors of both, without doing anything.
  absl::Status CheckChunk(const std::string& id, int64_t chunk) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The session goes on from before this chunk, in a new epoch. Its present life must be over.
  absl::Status Rewind(const std::string& id, int64_t chunk) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on what is handed over of the session's earlier lives is dropped.
  void BeginLife(const SessionKey& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // A session that is not there any more is no error: it was deleted meanwhile.
  void Record(const SessionKey& session, const AcceptedEvent& event, Recorded recorded) override;
  void Put(const SessionKey& session, const longtake::Record& record, Done done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The record of a chunk, or of what the take begins with, and the latents that it names.
  void PutStart(const SessionKey& session, const Latents& latents, Done done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  void PutChunk(const SessionKey& session, int64_t chunk, const Latents& latents, Done done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether somebody has it in memory; otherwise its retention begins.
  void PutInUse(const SessionKey& session, bool in_use) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- Snapshots, which shorten the way back of a session (engine/store/snapshot.h)
  // ---------------------------------------------------------------------------

  // Whether one of this session that writes so many bytes finds room, on disk and until it is
  // there: RESOURCE_EXHAUSTED, or UNAVAILABLE while the disk fails.
  absl::Status CheckSnapshotRoom(const std::string& id, uint64_t bytes) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of any of the session's lives: whether it lies on its way is seen when it is used. done, as a
  // Done, is told where its parts lie, or null when it is not kept.
  void PutSnapshot(const std::string& id, NewSnapshot snapshot,
                   std::function<void(const SnapshotPlaces*)> done) ABSL_LOCKS_EXCLUDED(mutex_);
  // After all that was handed over before. Their bytes are read through snapshots().
  absl::StatusOr<SnapshotTable::Found> LoadSnapshots(const std::string& id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  const StoredSnapshots& snapshots() const { return snapshots_; }

  struct Stats {
    CommitQueue::Stats queue;
    StoredSnapshots::Stats snapshots;
    uint64_t bytes = 0;  // that sessions take, with their snapshots
    int64_t sessions = 0;
    int64_t broken_off = 0;             // those in memory of which not everything could be kept
    std::vector<int64_t> damaged = {};  // numbers of those whose own rows do not prove themselves
  };
  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  SessionStore(const Options& options, Clock& clock);

  // Of the queue.
  absl::Status Begin() override;
  absl::Status Commit() override;
  bool UnderWay() const override { return database_->UnderWay(); }
  absl::Status Probe() override { return database_->tables().Probe(); }
  void OnCommitted() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDisk(const absl::Status& status) override {
    if (options_.on_disk) options_.on_disk(status);
  }
  void Abandon() override;
  bool IsRefusal(const absl::Status& status) const override;

  // Something of this session is to be written. What cannot be kept breaks it off.
  void Write(const SessionKey& session, uint64_t bytes, std::function<absl::Status()> run,
             Done done = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  void BreakOff(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RunNow(CommitQueue::Kind kind, std::function<absl::Status()> work) {
    return queue_.RunNow(kind, std::move(work));
  }

  // On the store's thread.
  absl::Status PutRecord(SessionRow& row, const longtake::Record& record);
  void PutLatents(const SessionKey& session, const longtake::Record& record, const Latents& latents,
                  Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Insert(const std::string& id, const SessionCreated& created);
  absl::Status Remove(const std::string& id);
  absl::Status InsertFork(const SessionRow& parent, const ForkRequest& request);
  absl::Status PutRewound(SessionRow& row, int64_t chunk);
  // Sessions whose retention is over, some at a time.
  void PushExpired() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it is to be written: of this life, after all that came before, and with room for it.
  bool IsWanted(const SessionKey& session, uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsStaleLife(const SessionKey& session) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsStale(const SessionKey& session) const ABSL_LOCKS_EXCLUDED(mutex_);
  // STORE_FULL when there is no room for one more session.
  absl::Status CheckRoom() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether so much more of this session finds room in what it, all of them and memory may take.
  bool HasRoom(const std::string& id, uint64_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SessionRow> Committed(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The row to be changed in this transaction, or null when there is no such session.
  SessionRow* Change(const std::string& id);

  const Options options_;
  Clock& clock_;
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<StoreDatabase> database_;
  StoredSnapshots snapshots_;
  // The store's thread's: what the transaction under way changes; nothing: the session goes.
  std::map<std::string, std::optional<SessionRow>> changed_;

  mutable Mutex mutex_;
  std::map<std::string, SessionRow> rows_ ABSL_GUARDED_BY(mutex_);  // as they were committed
  std::vector<int64_t> damaged_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of all of them
  // Sessions of which something could not be kept: nothing that follows is written, until they come
  // back as they were then.
  std::set<std::string> broken_off_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> lives_ ABSL_GUARDED_BY(mutex_);  // the present ones
  int64_t looked_nanos_ ABSL_GUARDED_BY(mutex_) = 0;               // for expired ones
  CommitQueue queue_;  // last: its thread ends before what it uses
};

}  // namespace longtake
