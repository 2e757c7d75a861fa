// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions on disk: what was promised to a client is written here before the client hears of it, so
// that a process that is killed has lost nothing. Small things lie in a database in the directory
// (session_tables.h); the directory belongs to one process at a time.
//
// What is handed over is written in this order, by one thread (commit_queue.h); done calls come on
// that thread, without locks. A disk that fails does not stop sessions: done says that nothing is
// durable, and what was handed over waits, up to Options::waiting_bytes_max. Whose records find no
// room there goes on with a gap in its history (session_gap.h).
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
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/session/event_sink.h"
#include "engine/store/bulk_directory.h"
#include "engine/store/commit_queue.h"
#include "engine/store/latent_files.h"
#include "engine/store/session_gap.h"
#include "engine/store/session_tables.h"
#include "engine/store/store_database.h"
#include "engine/store/store_limits.h"
#include "engine/store/store_scrub.h"
#include "engine/store/stored_session.h"
#include "engine/store/stored_snapshots.h"
#include "storage/directory_lock.h"

namespace longtake {

// What is known of a session without reading all of it.
struct StoredSummary {
  SessionRow row;
  SessionCreated created = {};  // as in none when that is damaged
  int64_t start_bytes = 0;      // of the frames it begins with; not told once it has chunks
  std::string damage = {};      // as DamageOf
};

// Where what is kept of a session begins, both as in StoredSession; 0: with the session.
struct KeptHistory {
  int64_t base = 0;
  int64_t first_kept = 0;
};

// What a fork is to be.
struct ForkRequest {
  std::string id;
  int64_t chunk = 0;                         // the first that is its own
  bool ended = false;                        // it has come to its end there, and only shows
  std::optional<MediaKind> media_kind = {};  // empty: as its parent's
};

class SessionStore final : public EventSink, private Transactions {
 public:
  struct Options {
    FileSystem* files = nullptr;
    std::string directory = {};
    std::string holder = {};  // named to a second process that wants the directory
    std::string vfs = {};     // SQLite's; empty: its own
    // How long a session that nobody has in memory is kept. While the store is open that is counted
    // without the wall clock's jumps; and when it was not, nothing goes in the first hour.
    int64_t retention_nanos = 24LL * 3600 * 1'000'000'000;
    uint64_t session_bytes_max = uint64_t{16} << 30;  // of one session
    // From so many bytes of its records and latents on a session forgets its older half, where it
    // can, so that there is room for its snapshots, too.
    uint64_t history_bytes_max = uint64_t{8} << 30;
    uint64_t bytes_max = uint64_t{64} << 30;  // of all
    uint64_t waiting_bytes_max = uint64_t{256} << 20;
    // Latents that take more lie in a file beside the database.
    uint64_t latent_row_bytes_max = 64 << 10;
    // Of a snapshot, between two commits: others wait so long.
    uint64_t snapshot_turn_bytes = 8 << 20;
    uint64_t scrub_bytes_per_second = 0;  // that are read again to be verified; 0: none
    // For so long a caller waits for a disk that does not answer; then UNAVAILABLE.
    int64_t answer_nanos_max = kStoreAnswerSeconds * 1'000'000'000;
    // Called on the store's thread for each damage that was not known yet. The id is empty where a
    // session's own row is damaged: its number is told.
    std::function<void(const std::string& id, const std::string& damage)> on_damage = {};
    // Called on the store's thread when the disk begins to fail, and when it is back (OK).
    std::function<void(const absl::Status& status)> on_disk = {};
    // Called on any thread, without locks, when a session has a gap in its history, and when that
    // has begun anew.
    std::function<void(const std::string& id, bool has_gap)> on_gap = {};
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
  // Those whose own rows are damaged and not used, so that they have no more than names here and a
  // retention that began when the store was opened.
  std::vector<SessionRow> DamagedSessions() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Contains(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // And whether all that was handed over of it is written or will be soon: it can be taken out of
  // memory.
  bool IsKept(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether something of it found no room; false for one that is not here.
  bool HasGap(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the disk takes what it is given.
  bool durable() const { return queue_.stats().durable; }
  // What was handed over before is written when it returns, or this is why not.
  absl::Status Flush() {
    return RunNow(CommitQueue::Kind::kWrite, [] { return absl::OkStatus(); });
  }
  // What of this session is known to be damaged on disk; empty: nothing.
  std::string DamageOf(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_FOUND, or DATA_LOSS.
  absl::StatusOr<StoredSummary> Describe(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of several at once; nothing of those that are gone, and of those that are damaged what their
  // rows say. Fewer than the ids when their records exceed so many bytes, but at least the first.
  absl::StatusOr<std::vector<std::optional<StoredSummary>>> DescribeSome(
      const std::vector<std::string>& ids, uint64_t bytes_max) ABSL_LOCKS_EXCLUDED(mutex_);
  // After all that was handed over before. NOT_FOUND, or DATA_LOSS for this session alone.
  absl::StatusOr<StoredSession> Load(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Latents> LoadLatents(const StoredLatents& stored) ABSL_LOCKS_EXCLUDED(mutex_);
  // What had come of the frames it begins with, while they are no latents; at most so many bytes.
  // SESSION_CORRUPT.
  absl::StatusOr<std::vector<uint8_t>> LoadStart(const std::string& id, uint64_t bytes_max)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same as LoadLatents without waiting: done is called as a Done is.
  void ReadLatents(const StoredLatents& stored, std::function<void(absl::StatusOr<Latents>)> done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // --- A session's life

  // Both are durable when they return, or nothing has happened. ALREADY_EXISTS,
  // RESOURCE_EXHAUSTED when the store is full, UNAVAILABLE when the disk does not take it. Of a
  // disk that does not answer nobody knows what it does: where UNAVAILABLE says that, it may happen
  // still, before all that is handed over from then on. So it is with Fork and Rewind.
  absl::Status Create(const SessionKey& session, const SessionCreated& created)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Delete(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // A new session that is as this one was before the chunk, with no life yet; it takes no more room
  // than a record until it goes its own way. OUT_OF_RANGE when the chunk was not made or is not
  // kept (metadata base_chunk says from where on it could be; of one that has ended, which may lie
  // before that, oldest_chunk), or when not all is there that the take begins with.
  absl::Status Fork(const std::string& id, const ForkRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a session that had a gap, or that took too much.
  KeptHistory HistoryOf(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The errors of both, without doing anything.
  absl::Status CheckChunk(const std::string& id, int64_t chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // The session goes on from before this chunk, in a new epoch. Its present life must be over.
  absl::Status Rewind(const std::string& id, int64_t chunk) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on what is handed over of the session's earlier lives is dropped.
  void BeginLife(const SessionKey& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether this life of it is such a one.
  bool IsStale(const SessionKey& session) const ABSL_LOCKS_EXCLUDED(mutex_);
  // A session that is not there any more is no error: it was deleted meanwhile.
  void Record(const SessionKey& session, const AcceptedEvent& event, Recorded recorded) override;
  void RecordStart(const SessionKey& session, int64_t offset, std::string_view bytes,
                   Recorded recorded) override;
  void Put(const SessionKey& session, const longtake::Record& record, Done done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The record of a chunk, or of what the take begins with, and the latents that it names.
  void PutStart(const SessionKey& session, const Latents& latents, Done done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  void PutChunk(const SessionKey& session, int64_t chunk, const Latents& latents, Done done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether somebody has it in memory; otherwise its retention begins. When that ends as things
  // are, on the wall clock: nullopt while it is in memory.
  void PutInUse(const SessionKey& session, bool in_use) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<int64_t> ExpiryOf(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // It could not be taken into memory: its retention goes on as it was.
  void PutBack(const SessionKey& session, std::optional<int64_t> expiry)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // --- Snapshots, which shorten the way back of a session (engine/store/snapshot.h)
  // ---------------------------------------------------------------------------

  // Whether one of this session finds room: so many bytes on disk, of which so many are in memory
  // until they are there. RESOURCE_EXHAUSTED, or UNAVAILABLE while the disk fails.
  absl::Status CheckSnapshotRoom(const std::string& id, uint64_t disk_bytes,
                                 uint64_t memory_bytes) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of any of the session's lives: whether it lies on its way is seen when it is used. Its K/V is
  // read on the store's thread, a piece at a time. A disk that fails meanwhile ends it. done comes
  // as a Done. With it goes what the session needs no more (NewSnapshot::needed), where its
  // history takes too much, or all sessions most of what they may; while this is its life.
  void PutSnapshot(const SessionKey& session, NewSnapshot snapshot, SnapshotInWork::Done done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a session has a gap, and whether its history may begin anew, when chunks from this one
  // on are needed: those before it go.
  enum class GapState { kNone, kWaits, kMayBegin };
  GapState LookAtGap(const SessionKey& session, int64_t needed) ABSL_LOCKS_EXCLUDED(mutex_);
  // A snapshot with which it does, after LookAtGap, before anything else is handed over of the
  // chunk that it is of.
  void BeginAnew(const SessionKey& session, NewSnapshot snapshot, SnapshotInWork::Done done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // After all that was handed over before. Their bytes are read through snapshots().
  absl::StatusOr<SnapshotTable::Found> LoadSnapshots(const std::string& id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  const StoredSnapshots& snapshots() const { return snapshots_; }
  const BulkDirectory& bulk() const { return bulk_; }

  struct Stats {
    CommitQueue::Stats queue;
    StoredSnapshots::Stats snapshots;
    uint64_t bytes = 0;  // that sessions take, with their snapshots and what only forks need
    int64_t sessions = 0;
    int64_t broken_off = 0;             // those in memory with a gap in their history
    uint64_t gap_bytes = 0;             // that are kept for them
    int64_t forgotten = 0;              // chunks that sessions which are there have no more
    std::vector<int64_t> damaged = {};  // numbers of those of which something is damaged
    StoreScrub::Stats scrub = {};
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
  bool PutAside(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  // The answer of a record that is written, or is not.
  Done AnswerOf(const SessionKey& session, Recorded recorded);
  // A record of this session is to be written, with the latents that it names.
  void Hand(const SessionKey& session, const longtake::Record& record, const Latents* latents,
            Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Something of this session is to be written, in a gap to be kept. What finds no room makes one.
  void Write(const SessionKey& session, uint64_t bytes, std::function<absl::Status()> run,
             std::optional<SessionGap::Entry> kept, Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  void Push(const SessionKey& session, uint64_t bytes, std::function<absl::Status()> run,
            Done done);
  std::function<absl::Status()> RunOf(const SessionKey& session, SessionGap::Entry entry);
  // A record of it was refused.
  void Refuse(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsRefused(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // What gaps keep beyond their share of memory goes.
  void TrimGaps() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t GapBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsGap(const SessionKey& session, uint64_t number) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WriteGap(const SessionKey& session, int64_t base) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndGap(const SessionKey& session, uint64_t number, bool durable) ABSL_LOCKS_EXCLUDED(mutex_);
  // Its errors have reasons. Who calls may be gone when work is done, as in CommitQueue::RunNow.
  absl::Status RunNow(CommitQueue::Kind kind, std::function<absl::Status()> work);
  // What is read in the same way.
  template <typename Value>
  absl::StatusOr<Value> ReadNow(std::function<absl::StatusOr<Value>()> read) {
    const auto value = std::make_shared<absl::StatusOr<Value>>();
    LT_RETURN_IF_ERROR(RunNow(CommitQueue::Kind::kRead, [value, read = std::move(read)] {
      *value = read();
      return value->status();
    }));
    return std::move(*value);
  }

  // On the store's thread. bytes grows by those of the record that is read.
  absl::StatusOr<StoredSummary> Summarise(const std::string& id, uint64_t* bytes);
  absl::StatusOr<StoredSummary> ReadSummary(const SessionRow& row, uint64_t* bytes);
  absl::StatusOr<Latents> GetLatents(const StoredLatents& stored);
  // Of reading something of this session: damage is told, and has the session's name.
  absl::Status OfSession(const SessionRow& row, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PutRecord(SessionRow& row, const longtake::Record& record);
  absl::Status PutEntry(SessionRow& row, const SessionGap::Entry& entry);
  // Files that no row names go.
  absl::Status CollectGarbage();
  // For so many bytes of records of this session, snapshots go where they take too much.
  absl::Status MakeRoom(const std::string& id, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteSnapshot(const SessionKey& session, const std::shared_ptr<SnapshotInWork>& work);
  absl::Status WriteTurn(const SessionKey& session, SnapshotInWork& work);
  // Whether its history should begin later.
  bool TakesTooMuch(const SessionRow& row) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayForget(const SessionKey& session, const SessionRow& row) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Forget(SessionRow& row, const NeededChunks& needed);
  // Of chunks before the first that it keeps. The row is written.
  absl::Status RemoveOldLatents(SessionRow& row, const RecordRange& range = {});
  // Latents go that only forks read, and none does any more: what is left to be looked at, some
  // records of it in one commit; when to look again.
  int64_t PushTrim() ABSL_LOCKS_EXCLUDED(mutex_);
  void PushTrimOf(int64_t number, const RecordRange& range);
  absl::Status Trim(int64_t number, const RecordRange& range);
  // Whether a session with a gap finds room when its history begins anew: forks may need what lies
  // before.
  absl::StatusOr<bool> HasRoomAnew(const SessionRow& row) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Insert(const std::string& id, const SessionCreated& created);
  absl::Status Remove(const std::string& id);
  // From the tables, but for what its forks need.
  absl::Status RemoveRow(const SessionRow& row);
  // One whose row does not prove itself, under a name by which a client can delete it.
  void AddDamaged(const SessionRow& row) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RemoveDamaged(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // If its retention is over.
  absl::Status RemoveExpired(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsOver(const SessionRow& row) const;
  // Of a session of which something is damaged: its row as far as that is known.
  StoredSummary SummariseDamaged(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Its row, whole or damaged; null when there is none.
  const SessionRow* FindRow(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status InsertFork(const SessionRow& parent, const ForkRequest& request);
  absl::Status PutRewound(SessionRow& row, int64_t chunk);
  // What is done while there is nothing to write; when it is to be done again.
  int64_t Rest() ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives room in the database's file back that deleted sessions left; when to look again.
  int64_t PushVacuum();
  // Whether SQLite cannot read what this session's records are.
  bool IsDamaged(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes the database anew from its rows; why says what was damaged.
  absl::Status Rescue(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDamage(const SessionRow& row, const std::string& damage) ABSL_LOCKS_EXCLUDED(mutex_);
  // By which retention is judged: a wall clock that somebody sets forward deletes nothing at once.
  int64_t RetentionNow() const;
  // Sessions whose retention is over, some at a time.
  void PushExpired() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsStaleLife(const SessionKey& session) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // STORE_FULL when there is no room for one more session, STORAGE_UNAVAILABLE when what waits for
  // a disk that fails leaves none.
  absl::Status CheckRoom() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether so much more of this session finds room in what it, all of them and memory may take;
  // or so much in place of what it has.
  bool HasRoom(const std::string& id, uint64_t bytes, bool begins_anew = false) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // NOT_FOUND; SESSION_CORRUPT for one whose row is damaged.
  absl::StatusOr<SessionRow> Committed(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The row as it is in this transaction.
  absl::StatusOr<SessionRow> Present(const std::string& id) const;
  // The row to be changed in this transaction, or null when there is none, for which Gone has the
  // reason. What is written from now on is this session's.
  SessionRow* Change(const std::string& id);
  absl::Status Gone(const std::string& id) const;
  // Whether one of this name may be made.
  absl::Status CheckNew(const std::string& id);

  const Options options_;
  Clock& clock_;
  const int64_t open_wall_nanos_;  // when it was opened
  const int64_t open_nanos_;
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<StoreDatabase> database_;
  BulkDirectory bulk_;
  StoredSnapshots snapshots_;
  LatentFiles latents_;
  // The store's thread's: what the transaction under way changes; nothing: the session goes.
  std::map<std::string, std::optional<SessionRow>> changed_;
  // Whose write is under way, empty for what the store does for itself; nothing: nobody's alone.
  std::optional<std::string> writing_;
  std::optional<std::string> removing_;  // who is to go, if that is what is under way
  // In this commit, because what they write meets damage; of sessions that are only to be made,
  // too.
  std::map<std::string, absl::Status> left_out_;
  bool rescued_ = false;  // in this commit
  std::unique_ptr<StoreScrub> scrub_;
  int64_t vacuum_nanos_ = 0;          // when to look for free pages
  int64_t hidden_bytes_ = 0;          // what it adds to the bytes of those kept for their forks
  std::map<int64_t, int64_t> trims_;  // sessions of which forks read less now: from this record on

  mutable Mutex mutex_;
  std::map<std::string, SessionRow> rows_ ABSL_GUARDED_BY(mutex_);  // as they were committed
  // Those that are damaged, of which name, number and parent alone are used, by their names. The
  // retention is our own.
  std::map<std::string, SessionRow> damaged_rows_ ABSL_GUARDED_BY(mutex_);
  // By the session's number; the first few.
  std::map<int64_t, std::set<std::string>> damage_ ABSL_GUARDED_BY(mutex_);
  StoreScrub::Stats scrubbed_ ABSL_GUARDED_BY(mutex_);
  // Of all of them, and of those that are gone and kept for their forks.
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t forgotten_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, SessionGap> gaps_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_beginning_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, uint64_t> lives_ ABSL_GUARDED_BY(mutex_);  // the present ones
  int64_t looked_nanos_ ABSL_GUARDED_BY(mutex_) = 0;               // for expired ones
  CommitQueue queue_;  // last: its thread ends before what it uses
};

}  // namespace longtake
