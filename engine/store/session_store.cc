// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/session_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/store_errors.h"

namespace longtake {
namespace {

constexpr char kBulkName[] = "bulk";
// How often expired sessions are looked for, and how many go in one commit.
constexpr int64_t kLookNanos = 30LL * 1'000'000'000;
constexpr size_t kExpiredMax = 16;
// However small they are: all of their rows are in memory.
constexpr size_t kSessionsMax = 100'000;

// Whether that chunk is written already: a session that was in memory twice for a moment made it
// twice.
bool IsThere(const SessionRow& row, const Record& record) {
  const auto* settled = std::get_if<ChunkSettled>(&record);
  const auto* decoded = std::get_if<ChunkDecoded>(&record);
  if (std::holds_alternative<SessionEnded>(record)) return row.ended;
  return (settled != nullptr && settled->chunk != row.chunks) ||
         (decoded != nullptr && decoded->chunk != row.decoded);
}

absl::Status Corrupt(const std::string& id, const std::string& problem) {
  return Error(Reason::kSessionCorrupt, absl::StrCat("session ", id, ": ", problem),
               {{"session", id}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionStore>> SessionStore::Open(const Options& options,
                                                                 Clock& clock) {
  LT_RETURN_IF_ERROR(options.files->MakeDir(options.directory));
  auto store = std::unique_ptr<SessionStore>(new SessionStore(options, clock));
  LT_ASSIGN_OR_RETURN(store->lock_,
                      DirectoryLock::Take(*options.files, options.directory, options.holder));
  LT_ASSIGN_OR_RETURN(store->database_,
                      StoreDatabase::Open(*options.files, options.directory, options.vfs));
  LT_RETURN_IF_ERROR(store->snapshots_.CollectGarbage(store->database_->snapshots()));
  LT_ASSIGN_OR_RETURN(const SessionTables::Found found, store->database_->tables().Sessions());
  // Who had them in memory is gone.
  for (const SessionRow& row : found.sessions) {
    if (!row.expire_wall_nanos.has_value()) store->PutInUse({.id = row.id}, false);
  }
  MutexLock lock(store->mutex_);
  for (const SessionRow& row : found.sessions) {
    store->rows_[row.id] = row;
    store->bytes_ += static_cast<uint64_t>(row.bytes);
  }
  store->damaged_ = found.damaged;
  return store;
}

SessionStore::SessionStore(const Options& options, Clock& clock)
    : options_(options),
      clock_(clock),
      snapshots_(*options.files, JoinPath(options.directory, kBulkName)),
      queue_(*this, clock, [this] { PushExpired(); }) {}

SessionStore::~SessionStore() { queue_.Stop(); }

absl::Status SessionStore::Begin() {
  changed_.clear();
  return database_->Begin();
}

absl::Status SessionStore::Commit() {
  for (const auto& [id, row] : changed_) {
    if (row.has_value()) LT_RETURN_IF_ERROR(database_->tables().Update(*row));
  }
  return database_->Commit();
}

void SessionStore::OnCommitted() {
  snapshots_.OnCommitted(database_->snapshots());
  MutexLock lock(mutex_);
  for (const auto& [id, row] : changed_) {
    SessionRow& committed = rows_[id];
    bytes_ += static_cast<uint64_t>((row.has_value() ? row->bytes : 0) - committed.bytes);
    if (row.has_value()) {
      committed = *row;
    } else {
      rows_.erase(id);
      lives_.erase(id);
      broken_off_.erase(id);
    }
  }
  changed_.clear();
}

void SessionStore::Abandon() {
  changed_.clear();
  snapshots_.OnAbandoned();
  database_->Abandon();
}

// What we say has a reason; what the disk says has none.
bool SessionStore::IsRefusal(const absl::Status& status) const {
  return ReasonOf(status).has_value() || absl::IsDataLoss(status) || absl::IsAborted(status);
}

void SessionStore::Write(const SessionKey& session, uint64_t bytes,
                         std::function<absl::Status()> run, Done done) {
  bool wanted = false;
  {
    MutexLock lock(mutex_);
    wanted = IsWanted(session, bytes);
  }
  if (wanted) {
    queue_.Push({.run =
                     [this, session, run = std::move(run)] {
                       // Its life may have ended since it was handed over.
                       if (IsStale(session)) return NoSession(session.id);
                       const absl::Status status = run();
                       if (IsRefusal(status)) BreakOff(session.id);
                       return status;
                     },
                 .done = std::move(done),
                 .bytes = bytes});
  } else if (done) {
    done(/*durable=*/false);
  }
}

void SessionStore::BreakOff(const std::string& id) {
  MutexLock lock(mutex_);
  broken_off_.insert(id);
}

void SessionStore::BeginLife(const SessionKey& session) {
  MutexLock lock(mutex_);
  lives_[session.id] = session.life;
  broken_off_.erase(session.id);
}

// Life 0 is the store's own.
bool SessionStore::IsStaleLife(const SessionKey& session) const {
  const auto life = lives_.find(session.id);
  return life != lives_.end() && session.life != 0 && life->second != session.life;
}

bool SessionStore::IsStale(const SessionKey& session) const {
  MutexLock lock(mutex_);
  return IsStaleLife(session);
}

bool SessionStore::IsKept(const std::string& id) const {
  if (!queue_.stats().durable) return false;
  MutexLock lock(mutex_);
  return rows_.contains(id) && !broken_off_.contains(id);
}

bool SessionStore::IsWanted(const SessionKey& session, uint64_t bytes) {
  const std::string& id = session.id;
  if (IsStaleLife(session)) return false;
  if (!HasRoom(id, bytes)) broken_off_.insert(id);
  return !broken_off_.contains(id);
}

bool SessionStore::HasRoom(const std::string& id, uint64_t bytes) const {
  const auto row = rows_.find(id);
  const auto used = row == rows_.end() ? 0 : static_cast<uint64_t>(row->second.bytes);
  return queue_.stats().waiting_bytes + bytes <= options_.waiting_bytes_max &&
         used + bytes <= options_.session_bytes_max && bytes_ + bytes <= options_.bytes_max;
}

absl::Status SessionStore::CheckRoom() const {
  MutexLock lock(mutex_);
  if (HasRoom({}, /*bytes=*/0) && rows_.size() < kSessionsMax) return absl::OkStatus();
  return Error(Reason::kStoreFull,
               absl::StrCat("the session store is full: ", rows_.size(), " sessions take ", bytes_,
                            " of ", options_.bytes_max, " bytes"));
}

void SessionStore::PushExpired() {
  std::vector<std::string> expired;
  {
    const int64_t now_nanos = clock_.MonotonicNanos();
    MutexLock lock(mutex_);
    if (!queue_.stats().durable || (looked_nanos_ != 0 && now_nanos - looked_nanos_ < kLookNanos))
      return;
    looked_nanos_ = now_nanos;
    const int64_t wall_nanos = clock_.WallNanos();
    for (const auto& [id, row] : rows_) {
      if (row.expire_wall_nanos.value_or(wall_nanos + 1) <= wall_nanos) expired.push_back(id);
      if (expired.size() == kExpiredMax) break;
    }
    if (expired.size() == kExpiredMax) looked_nanos_ -= kLookNanos;  // there may be more
  }
  for (const std::string& id : expired) {
    queue_.Push({.run = [this, id] {
      const SessionRow* row = Change(id);
      // Somebody may have taken it back meanwhile.
      const bool is_over =
          row != nullptr && row->expire_wall_nanos.value_or(INT64_MAX) <= clock_.WallNanos();
      return is_over ? Remove(id) : absl::OkStatus();
    }});
  }
}

std::vector<SessionRow> SessionStore::Sessions() const {
  std::vector<SessionRow> sessions;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, row] : rows_) sessions.push_back(row);
  }
  std::sort(sessions.begin(), sessions.end(),
            [](const SessionRow& a, const SessionRow& b) { return a.number < b.number; });
  return sessions;
}

absl::StatusOr<SessionRow> SessionStore::Committed(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto found = rows_.find(id);
  return found == rows_.end() ? NoSession(id) : absl::StatusOr<SessionRow>(found->second);
}

bool SessionStore::Contains(const std::string& id) const { return Committed(id).ok(); }

SessionStore::Stats SessionStore::stats() const {
  Stats stats = {.queue = queue_.stats(), .snapshots = snapshots_.stats()};
  MutexLock lock(mutex_);
  stats.bytes = bytes_ + snapshots_.bulk().bytes();
  stats.sessions = std::ssize(rows_);
  stats.broken_off = std::ssize(broken_off_);
  stats.damaged = damaged_;
  return stats;
}

SessionRow* SessionStore::Change(const std::string& id) {
  auto changed = changed_.find(id);
  if (changed == changed_.end()) {
    const absl::StatusOr<SessionRow> row = Committed(id);
    if (!row.ok()) return nullptr;
    changed = changed_.emplace(id, *row).first;
  }
  return changed->second.has_value() ? &*changed->second : nullptr;
}

absl::StatusOr<StoredSummary> SessionStore::Describe(const std::string& id) {
  StoredSummary summary;
  LT_RETURN_IF_ERROR(RunNow(CommitQueue::Kind::kRead, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    summary.row = *row;
    LT_ASSIGN_OR_RETURN(const RecordBytes first, database_->tables().FirstRecord(*row));
    LT_ASSIGN_OR_RETURN(longtake::Record record, DecodeRecord(first.kind, first.body));
    auto* created = std::get_if<SessionCreated>(&record);
    if (created == nullptr) return Corrupt(id, "its first record is another's");
    summary.created = std::move(*created);
    return absl::OkStatus();
  }));
  return summary;
}

absl::StatusOr<StoredSession> SessionStore::Load(const std::string& id) {
  absl::StatusOr<StoredSession> session;
  LT_RETURN_IF_ERROR(RunNow(CommitQueue::Kind::kRead, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    session = database_->tables().Read(*row);
    if (!absl::IsDataLoss(session.status())) return session.status();
    return Corrupt(id, std::string(session.status().message()));
  }));
  return session;
}

absl::StatusOr<Latents> SessionStore::LoadLatents(const StoredLatents& stored) {
  absl::StatusOr<Latents> latents;
  LT_RETURN_IF_ERROR(RunNow(CommitQueue::Kind::kRead, [&] {
    latents = database_->tables().GetLatents(stored);
    return latents.status();
  }));
  return latents;
}

void SessionStore::ReadLatents(const StoredLatents& stored,
                               std::function<void(absl::StatusOr<Latents>)> done) {
  const auto latents = std::make_shared<absl::StatusOr<Latents>>(
      Error(Reason::kStorageUnavailable, "the session store cannot be read"));
  queue_.Push({.kind = CommitQueue::Kind::kRead,
               .run =
                   [this, stored, latents] {
                     *latents = database_->tables().GetLatents(stored);
                     return latents->status();
                   },
               .done = [latents, done = std::move(done)](bool) { done(std::move(*latents)); }});
}

absl::Status SessionStore::Create(const SessionKey& session, const SessionCreated& created) {
  const std::string& id = session.id;
  LT_RETURN_IF_ERROR(CheckRoom());
  LT_RETURN_IF_ERROR(RunNow(CommitQueue::Kind::kWrite, [&] { return Insert(id, created); }));
  BeginLife(session);
  return absl::OkStatus();
}

absl::Status SessionStore::Insert(const std::string& id, const SessionCreated& created) {
  if (Change(id) != nullptr) return SessionExists(id);
  SessionRow row = {.id = id, .create_wall_nanos = created.create_wall_nanos};
  LT_RETURN_IF_ERROR(database_->tables().Insert(row));
  LT_RETURN_IF_ERROR(PutRecord(row, created));
  changed_[id] = row;
  return absl::OkStatus();
}

absl::Status SessionStore::Delete(const std::string& id) {
  return RunNow(CommitQueue::Kind::kWrite,
                [&] { return Change(id) == nullptr ? NoSession(id) : Remove(id); });
}

absl::Status SessionStore::Remove(const std::string& id) {
  LT_RETURN_IF_ERROR(database_->snapshots().Remove(Change(id)->number));
  LT_RETURN_IF_ERROR(database_->tables().Remove(*Change(id)));
  changed_[id] = std::nullopt;
  return absl::OkStatus();
}

absl::Status SessionStore::PutRecord(SessionRow& row, const longtake::Record& record) {
  if (IsThere(row, record)) return absl::OkStatus();
  LT_RETURN_IF_ERROR(database_->tables().Append(row, EncodeRecord(record)));
  if (std::holds_alternative<ChunkSettled>(record)) ++row.chunks;
  if (std::holds_alternative<SessionEnded>(record)) row.ended = true;
  if (const auto* decoded = std::get_if<ChunkDecoded>(&record)) {
    ++row.decoded;
    row.end_frame = decoded->end_frame;
  }
  return absl::OkStatus();
}

// What comes of a life that is over is not there for the next one, so it cannot be accepted.
void SessionStore::Record(const SessionKey& session, const AcceptedEvent& event,
                          Recorded recorded) {
  Put(session, event, [this, session, recorded = std::move(recorded)](bool durable) {
    const bool lost = !durable && IsStale(session);
    recorded(lost ? Error(Reason::kSessionParked,
                          absl::StrCat("session ", session.id, " is out of memory"),
                          {{"session", session.id}})
                  : absl::OkStatus(),
             durable);
  });
}

void SessionStore::Put(const SessionKey& session, const longtake::Record& record, Done done) {
  Write(
      session, EncodeRecord(record).body.size(),
      [this, id = session.id, record] {
        SessionRow* row = Change(id);
        return row == nullptr ? NoSession(id) : PutRecord(*row, record);
      },
      std::move(done));
}

void SessionStore::PutStart(const SessionKey& session, const Latents& latents, Done done) {
  PutLatents(session, TakeStarted{.latents = RefOf(latents)}, latents, std::move(done));
}

void SessionStore::PutChunk(const SessionKey& session, int64_t chunk, const Latents& latents,
                            Done done) {
  PutLatents(session, ChunkSettled{.chunk = chunk, .latents = RefOf(latents)}, latents,
             std::move(done));
}

void SessionStore::PutLatents(const SessionKey& session, const longtake::Record& record,
                              const Latents& latents, Done done) {
  Write(
      session, latents.values().size_bytes(),
      [this, id = session.id, record, latents] {
        SessionRow* row = Change(id);
        if (row == nullptr) return NoSession(id);
        if (IsThere(*row, record)) return absl::OkStatus();
        LT_RETURN_IF_ERROR(database_->tables().PutLatents(*row, latents));
        return PutRecord(*row, record);
      },
      std::move(done));
}

void SessionStore::PutInUse(const SessionKey& session, bool in_use) {
  queue_.Push({.run = [this, session, in_use] {
    SessionRow* row = Change(session.id);
    if (row == nullptr || IsStale(session)) return absl::OkStatus();
    row->expire_wall_nanos.reset();
    if (!in_use) row->expire_wall_nanos = clock_.WallNanos() + options_.retention_nanos;
    return absl::OkStatus();
  }});
}

}  // namespace longtake
