// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/session_store.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/store_errors.h"
#include "engine/store/store_limits.h"

namespace longtake {
namespace {

constexpr char kBulkName[] = "bulk";
// How often expired sessions are looked for, and how many go in one commit.
constexpr int64_t kLookNanos = 30LL * 1'000'000'000;
constexpr size_t kExpiredMax = 16;
constexpr size_t kRenewedMax = 512;
// A clock that was set wrongly while nobody looked can be set right before anything goes.
constexpr int64_t kGraceNanos = 3600LL * 1'000'000'000;

// Whether that chunk is written already: a session that was in memory twice for a moment made it
// twice.
bool IsThere(const SessionRow& row, const Record& record) {
  const auto* settled = std::get_if<ChunkSettled>(&record);
  const auto* decoded = std::get_if<ChunkDecoded>(&record);
  if (std::holds_alternative<SessionEnded>(record)) return row.ended;
  return (settled != nullptr && settled->chunk != row.chunks) ||
         (decoded != nullptr && decoded->chunk != row.decoded);
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
  LT_RETURN_IF_ERROR(store->CollectGarbage());
  LT_ASSIGN_OR_RETURN(const SessionTables::Found found, store->database_->tables().Sessions());
  // Who had them in memory is gone.
  for (const SessionRow& row : found.sessions) {
    if (!row.expire_wall_nanos.has_value()) store->PutInUse({.id = row.id}, false);
  }
  {
    MutexLock lock(store->mutex_);
    for (const SessionRow& row : found.sessions) {
      store->rows_[row.id] = row;
      store->bytes_ += static_cast<uint64_t>(row.bytes);
    }
    for (const SessionRow& row : found.hidden) store->bytes_ += static_cast<uint64_t>(row.bytes);
  }
  for (const SessionRow& row : found.hidden) store->trims_[row.number] = 0;
  for (const SessionRow& row : found.damaged) store->AddDamaged(row);
  store->scrub_ = std::make_unique<StoreScrub>(
      StoreScrub::Options{.bytes_per_second = options.scrub_bytes_per_second}, *store->database_,
      store->latents_, store->snapshots_, clock,
      [raw = store.get()](const SessionRow& row, const std::string& what) {
        raw->OnDamage(row, what);
      });
  return store;
}

SessionStore::SessionStore(const Options& options, Clock& clock)
    : options_(options),
      clock_(clock),
      open_wall_nanos_(clock.WallNanos()),
      open_nanos_(clock.MonotonicNanos()),
      bulk_(*options.files, JoinPath(options.directory, kBulkName)),
      snapshots_(bulk_, options.snapshot_turn_bytes),
      latents_(bulk_, options.latent_row_bytes_max),
      queue_(
          *this, clock, options.answer_nanos_max, [this] { PushExpired(); },
          [this] { return Rest(); }) {}

SessionStore::~SessionStore() { queue_.Stop(); }

absl::Status SessionStore::CollectGarbage() {
  std::map<std::string, BulkUse> named;
  LT_ASSIGN_OR_RETURN(const std::set<std::string> snapshots, database_->snapshots().Files());
  for (const std::string& file : snapshots) named[file] = BulkUse::kSnapshot;
  LT_ASSIGN_OR_RETURN(const std::set<std::string> latents, database_->tables().LatentFileNames());
  for (const std::string& file : latents) named[file] = BulkUse::kLatents;
  return bulk_.Open(named);
}

absl::Status SessionStore::Begin() {
  changed_.clear();
  writing_.reset();
  removing_.reset();
  hidden_bytes_ = 0;
  return database_->Begin();
}

absl::Status SessionStore::Commit() {
  for (const auto& [id, row] : changed_) {
    writing_ = id;
    if (row.has_value()) LT_RETURN_IF_ERROR(database_->tables().Update(*row));
  }
  writing_.reset();
  return database_->Commit();
}

void SessionStore::OnCommitted() {
  left_out_.clear();
  rescued_ = false;
  snapshots_.OnCommitted(database_->snapshots());
  latents_.OnCommitted(database_->old_latents());
  const std::vector<int64_t> removed = database_->tables().TakeRemoved();
  for (const int64_t session : removed) latents_.Remove(session);
  MutexLock lock(mutex_);
  for (const int64_t session : removed) damage_.erase(session);
  bytes_ += static_cast<uint64_t>(std::exchange(hidden_bytes_, 0));
  for (const auto& [id, row] : changed_) {
    SessionRow& committed = rows_[id];
    if (row.has_value() && committed.number == row->number) {
      forgotten_ += row->first_kept - committed.first_kept;
    }
    bytes_ += static_cast<uint64_t>((row.has_value() ? row->bytes : 0) - committed.bytes);
    if (row.has_value()) {
      committed = *row;
    } else {
      rows_.erase(id);
      const auto damaged = damaged_rows_.find(id);
      if (damaged != damaged_rows_.end()) {  // gone, or hidden with a row that is whole
        damage_.erase(damaged->second.number);
        damaged_rows_.erase(damaged);
      }
      lives_.erase(id);
      gaps_.erase(id);
    }
  }
  changed_.clear();
}

void SessionStore::Abandon() {
  changed_.clear();
  hidden_bytes_ = 0;
  snapshots_.OnAbandoned();
  database_->tables().TakeRemoved();
  database_->old_latents().TakeDropped();
  database_->Abandon();
}

// What we say has a reason; what the disk says has none.
bool SessionStore::IsRefusal(const absl::Status& status) const {
  return ReasonOf(status).has_value() || absl::IsAborted(status) || absl::IsAlreadyExists(status);
}

// Records come first: all that was promised is in them, and snapshots only save time.
absl::Status SessionStore::MakeRoom(const std::string& id, uint64_t bytes) {
  const SessionRow* row = Change(id);
  if (row == nullptr) return absl::OkStatus();
  const auto excess = [](uint64_t used, uint64_t max) { return used > max ? used - max : 0; };
  const uint64_t leaving = snapshots_.leaving_bytes();
  const auto own = static_cast<uint64_t>(row->bytes) + bulk_.BytesOf(row->number) + bytes;
  if (const uint64_t over = excess(own, options_.session_bytes_max + leaving); over > 0) {
    LT_RETURN_IF_ERROR(snapshots_.MakeRoom(database_->snapshots(), row->number, over));
  }
  uint64_t all = bytes + bulk_.bytes();
  {
    MutexLock lock(mutex_);
    all += bytes_;
  }
  const uint64_t over = excess(all, options_.bytes_max + snapshots_.leaving_bytes());
  return over == 0 ? absl::OkStatus() : snapshots_.MakeRoom(database_->snapshots(), 0, over);
}

absl::Status SessionStore::RunNow(CommitQueue::Kind kind, std::function<absl::Status()> work) {
  const absl::Status status = queue_.RunNow(kind, std::move(work));
  return kind == CommitQueue::Kind::kRead ? OfReading(status) : OfWriting(status);
}

absl::Status SessionStore::CheckRoom() const {
  MutexLock lock(mutex_);
  const bool is_full = bytes_ > options_.bytes_max || std::ssize(rows_) >= kStoredSessionsMax;
  if (!is_full && HasRoom({}, /*bytes=*/0)) return absl::OkStatus();
  if (!is_full) {
    return Error(Reason::kStorageUnavailable, "too much waits for the session store's disk");
  }
  return Error(Reason::kStoreFull,
               absl::StrCat("the session store is full: ", rows_.size(), " sessions take ", bytes_,
                            " of ", options_.bytes_max, " bytes"));
}

int64_t SessionStore::RetentionNow() const {
  const int64_t open_nanos = clock_.MonotonicNanos() - open_nanos_;
  if (open_nanos < std::min(kGraceNanos, options_.retention_nanos)) return INT64_MIN;
  return std::min(clock_.WallNanos(), open_wall_nanos_ + open_nanos);
}

void SessionStore::PushExpired() {
  std::vector<std::string> expired;
  std::vector<std::string> renewed;
  {
    const int64_t now_nanos = clock_.MonotonicNanos();
    MutexLock lock(mutex_);
    if (!queue_.stats().durable || (looked_nanos_ != 0 && now_nanos - looked_nanos_ < kLookNanos))
      return;
    looked_nanos_ = now_nanos;
    // One that was parked under a clock that was ahead begins anew.
    const int64_t latest_nanos = clock_.WallNanos() + options_.retention_nanos;
    for (const auto& [id, row] : rows_) {
      if (row.expire_wall_nanos.value_or(0) > latest_nanos && renewed.size() < kRenewedMax) {
        renewed.push_back(id);
      }
      if (IsOver(row)) expired.push_back(id);
      if (expired.size() == kExpiredMax) break;
    }
    for (const auto& [id, row] : damaged_rows_) {
      if (expired.size() < kExpiredMax && IsOver(row)) expired.push_back(id);
    }
    if (expired.size() == kExpiredMax) looked_nanos_ -= kLookNanos;  // there may be more
  }
  for (const std::string& id : renewed) PutInUse({.id = id}, /*in_use=*/false);
  for (const std::string& id : expired) {
    queue_.Push({.run = [this, id] { return RemoveExpired(id); }});
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
  if (found != rows_.end()) return found->second;
  return damaged_rows_.contains(id) ? Corrupt(id, kRowIsDamaged) : NoSession(id);
}

bool SessionStore::Contains(const std::string& id) const {
  return !absl::IsNotFound(Committed(id).status());
}

SessionStore::Stats SessionStore::stats() const {
  Stats stats = {.queue = queue_.stats(), .snapshots = snapshots_.stats()};
  MutexLock lock(mutex_);
  stats.bytes = bytes_ + bulk_.bytes();
  stats.sessions = std::ssize(rows_);
  stats.broken_off = std::ssize(gaps_);
  stats.gap_bytes = GapBytes();
  stats.forgotten = forgotten_;
  for (const auto& [number, damage] : damage_) stats.damaged.push_back(number);
  stats.scrub = scrubbed_;
  return stats;
}

SessionRow* SessionStore::Change(const std::string& id) {
  writing_ = id;
  if (left_out_.contains(id)) return nullptr;
  auto changed = changed_.find(id);
  if (changed == changed_.end()) {
    const absl::StatusOr<SessionRow> row = Committed(id);
    if (!row.ok()) return nullptr;
    changed = changed_.emplace(id, *row).first;
  }
  return changed->second.has_value() ? &*changed->second : nullptr;
}

// One that was only to be made has nothing that could be damaged.
absl::Status SessionStore::Gone(const std::string& id) const {
  const auto left_out = left_out_.find(id);
  if (left_out == left_out_.end()) {
    return changed_.contains(id) ? NoSession(id) : Committed(id).status();
  }
  if (Contains(id)) return left_out->second;
  return Error(Reason::kStorageUnavailable, std::string(left_out->second.message()));
}

absl::Status SessionStore::CheckNew(const std::string& id) {
  if (Change(id) != nullptr) return SessionExists(id);
  const absl::Status gone = Gone(id);
  return absl::IsNotFound(gone) ? absl::OkStatus() : gone;
}

absl::StatusOr<SessionRow> SessionStore::Present(const std::string& id) const {
  const auto changed = changed_.find(id);
  if (changed == changed_.end()) return Committed(id);
  return changed->second.has_value() ? *changed->second : absl::StatusOr<SessionRow>(NoSession(id));
}

absl::Status SessionStore::Create(const SessionKey& session, const SessionCreated& created) {
  LT_RETURN_IF_ERROR(CheckRoom());
  return RunNow(CommitQueue::Kind::kWrite, [this, session, created] {
    LT_RETURN_IF_ERROR(Insert(session.id, created));
    BeginLife(session);  // one of its name that was deleted may still be heard
    return absl::OkStatus();
  });
}

absl::Status SessionStore::Insert(const std::string& id, const SessionCreated& created) {
  LT_RETURN_IF_ERROR(CheckNew(id));
  SessionRow row = {.id = id, .create_wall_nanos = created.create_wall_nanos};
  LT_RETURN_IF_ERROR(database_->tables().Insert(row));
  LT_RETURN_IF_ERROR(PutRecord(row, created));
  changed_[id] = row;
  return absl::OkStatus();
}

absl::Status SessionStore::Delete(const std::string& id) {
  return RunNow(CommitQueue::Kind::kWrite, [this, id] {
    if (Change(id) != nullptr) return Remove(id);
    const absl::Status gone = Gone(id);
    return absl::IsDataLoss(gone) && !left_out_.contains(id) ? RemoveDamaged(id) : gone;
  });
}

absl::Status SessionStore::Remove(const std::string& id) {
  removing_ = id;
  LT_RETURN_IF_ERROR(database_->snapshots().Remove(Change(id)->number));
  LT_ASSIGN_OR_RETURN(const int64_t start_bytes, database_->starts().Remove(Change(id)->number));
  Change(id)->bytes -= start_bytes;
  LT_RETURN_IF_ERROR(RemoveRow(*Change(id)));
  changed_[id] = std::nullopt;
  removing_.reset();
  return absl::OkStatus();
}

absl::Status SessionStore::PutRecord(SessionRow& row, const longtake::Record& record) {
  if (IsThere(row, record)) return absl::OkStatus();
  LT_RETURN_IF_ERROR(database_->tables().Append(row, EncodeRecord(record)));
  if (std::holds_alternative<TakeStarted>(record)) {  // the frames it was made of have done
    LT_ASSIGN_OR_RETURN(const int64_t bytes, database_->starts().Remove(row.number));
    row.bytes -= bytes;
  }
  if (std::holds_alternative<ChunkSettled>(record)) ++row.chunks;
  if (std::holds_alternative<SessionEnded>(record)) row.ended = true;
  if (const auto* changed = std::get_if<NumericsChanged>(&record)) {
    row.decoded = changed->chunk;
    row.end_frame = changed->first_frame;
  }
  if (const auto* decoded = std::get_if<ChunkDecoded>(&record)) {
    ++row.decoded;
    row.end_frame = decoded->end_frame;
  }
  if (const auto* begun = std::get_if<HistoryBegun>(&record)) {
    row.base = begun->base;
    row.chunks = row.decoded = row.first_kept = begun->first;
    if (begun->before.has_value()) row.end_frame = begun->before->end_frame;
  }
  if (const auto* forgotten = std::get_if<HistoryForgotten>(&record)) {
    row.base = forgotten->base;
    row.first_kept = forgotten->first;
  }
  return absl::OkStatus();
}

// What comes of a life that is over is not there for the next one, so it cannot be accepted.
SessionStore::Done SessionStore::AnswerOf(const SessionKey& session, Recorded recorded) {
  return [this, session, recorded = std::move(recorded)](bool durable) {
    const bool lost = !durable && IsStale(session);
    recorded(lost ? Error(Reason::kSessionParked,
                          absl::StrCat("session ", session.id, " is out of memory"),
                          {{"session", session.id}})
                  : absl::OkStatus(),
             durable);
  };
}

void SessionStore::Record(const SessionKey& session, const AcceptedEvent& event,
                          Recorded recorded) {
  Put(session, event, AnswerOf(session, std::move(recorded)));
}

void SessionStore::RecordStart(const SessionKey& session, int64_t offset, std::string_view bytes,
                               Recorded recorded) {
  Write(
      session, bytes.size(),
      [this, id = session.id, offset, part = std::string(bytes)] {
        SessionRow* row = Change(id);
        if (row == nullptr) return Gone(id);
        LT_ASSIGN_OR_RETURN(
            const int64_t more,
            database_->starts().Put(row->number, offset, std::as_bytes(std::span(part))));
        row->bytes += more;
        return absl::OkStatus();
      },
      /*kept=*/{}, AnswerOf(session, std::move(recorded)));
}

absl::Status SessionStore::PutEntry(SessionRow& row, const SessionGap::Entry& entry) {
  if (IsThere(row, entry.record)) return absl::OkStatus();
  if (entry.latents != nullptr) {
    LT_RETURN_IF_ERROR(latents_.Put(database_->tables(), row, *entry.latents));
  }
  return PutRecord(row, entry.record);
}

void SessionStore::Put(const SessionKey& session, const longtake::Record& record, Done done) {
  Hand(session, record, /*latents=*/nullptr, std::move(done));
}

void SessionStore::PutStart(const SessionKey& session, const Latents& latents, Done done) {
  Hand(session, TakeStarted{.latents = RefOf(latents)}, &latents, std::move(done));
}

void SessionStore::PutChunk(const SessionKey& session, int64_t chunk, const Latents& latents,
                            Done done) {
  Hand(session, ChunkSettled{.chunk = chunk, .latents = RefOf(latents)}, &latents, std::move(done));
}

std::optional<int64_t> SessionStore::ExpiryOf(const std::string& id) const {
  const absl::StatusOr<SessionRow> row = Committed(id);
  return row.ok() ? row->expire_wall_nanos : std::nullopt;
}

void SessionStore::PutInUse(const SessionKey& session, bool in_use) {
  if (!in_use) return PutBack(session, /*expiry=*/{});
  queue_.Push({.run = [this, session] {
    SessionRow* row = Change(session.id);
    if (row != nullptr && !IsStale(session)) row->expire_wall_nanos.reset();
    return absl::OkStatus();
  }});
}

void SessionStore::PutBack(const SessionKey& session, std::optional<int64_t> expiry) {
  queue_.Push({.run = [this, session, expiry] {
    SessionRow* row = Change(session.id);
    if (row == nullptr || IsStale(session)) return absl::OkStatus();
    latents_.Close(row->number);
    row->expire_wall_nanos = expiry.value_or(clock_.WallNanos() + options_.retention_nanos);
    return absl::OkStatus();
  }});
}

}  // namespace longtake
