// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/session_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

constexpr char kDatabaseName[] = "sessions.db";
// What one commit takes at most, so that nobody waits long for the first of them.
constexpr size_t kTasksMax = 512;
constexpr uint64_t kTaskBytesMax = 16 << 20;
// How long a failing disk is left alone.
// How often expired sessions are looked for, and how many go in one commit.
constexpr int64_t kLookNanos = 30LL * 1'000'000'000;
constexpr size_t kExpiredMax = 16;
constexpr int64_t kRetryNanos = 1'000'000'000;
// What a record takes in memory beside its bytes, roughly.
constexpr uint64_t kTaskOverheadBytes = 512;

absl::Status NoSession(const std::string& id) {
  return Error(Reason::kSessionNotFound, absl::StrCat("no session ", id), {{"session", id}});
}

absl::Status SessionExists(const std::string& id) {
  return Error(Reason::kSessionExists, absl::StrCat("session ", id, " exists"), {{"session", id}});
}

absl::Status CheckChunkOf(const SessionRow& row, int64_t chunk) {
  if (chunk >= 0 && chunk <= row.chunks) return absl::OkStatus();
  return Error(Reason::kChunkNotHeld,
               absl::StrCat("session ", row.id, ": chunk ", chunk, " is not made; it has ",
                            row.chunks, " chunks"),
               {{"session", row.id}, {"next_chunk", std::to_string(row.chunks)}});
}

// The row tells what a session of these records has made.
void ShowProgress(const StoredSession& stored, SessionRow& row) {
  row.chunks = std::ssize(stored.settled);
  row.decoded = std::ssize(stored.decoded);
  row.end_frame = stored.decoded.empty() ? 0 : stored.decoded.back().end_frame;
  row.ended = stored.ended;
}

// Said before anything was written, and no fault of the disk.
bool IsRefusal(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsAlreadyExists(status) || absl::IsOutOfRange(status) ||
         ReasonFor(status) == Reason::kSessionCorrupt;
}

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
  LT_RETURN_IF_ERROR(store->OpenDatabase());
  LT_ASSIGN_OR_RETURN(const SessionTables::Found found, store->tables_->Sessions());
  // Who had them in memory is gone.
  for (const SessionRow& row : found.sessions) {
    if (!row.expire_wall_nanos.has_value()) store->PutInUse({.id = row.id}, false);
  }
  MutexLock lock(store->mutex_);
  for (const SessionRow& row : found.sessions) {
    store->rows_[row.id] = row;
    store->bytes_ += static_cast<uint64_t>(row.bytes);
  }
  store->stats_.damaged = found.damaged;
  return store;
}

SessionStore::SessionStore(const Options& options, Clock& clock)
    : options_(options), clock_(clock) {}

SessionStore::~SessionStore() { Stop(); }

absl::Status SessionStore::OpenDatabase() {
  tables_ = nullptr;
  database_ = nullptr;
  LT_ASSIGN_OR_RETURN(
      database_,
      Database::Open({.path = JoinPath(options_.directory, kDatabaseName), .vfs = options_.vfs}));
  LT_ASSIGN_OR_RETURN(tables_, SessionTables::Open(*database_));
  return absl::OkStatus();
}

void SessionStore::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SessionStore::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void SessionStore::Run() {
  for (;;) {
    const bool worked = Step();
    if (!worked || !stats().durable) WaitForWork();
    MutexLock lock(mutex_);
    if (stopping_ && (tasks_.empty() || !stats_.durable)) return;
  }
}

// A disk that fails is asked again once a period, however much comes meanwhile.
void SessionStore::WaitForWork() {
  const int64_t end_nanos = clock_.MonotonicNanos() + kRetryNanos;
  MutexLock lock(mutex_);
  while (!stopping_) {
    const int64_t left_nanos = end_nanos - clock_.MonotonicNanos();
    if (stats_.durable ? !tasks_.empty() : left_nanos <= 0) return;
    work_.WaitFor(mutex_, std::chrono::nanoseconds(stats_.durable ? kLookNanos : left_nanos));
    if (stats_.durable) return;
  }
}

bool SessionStore::Step() {
  PushExpired();
  std::deque<Task> tasks = TakeTasks();
  if (tasks.empty()) return false;
  const int64_t start_nanos = clock_.MonotonicNanos();
  const absl::Status status = Commit(tasks);
  if (status.ok()) {
    Succeed(std::move(tasks), clock_.MonotonicNanos() - start_nanos);
  } else {
    Fail(std::move(tasks), status);
  }
  return true;
}

std::deque<SessionStore::Task> SessionStore::TakeTasks() {
  std::deque<Task> taken;
  uint64_t bytes = 0;
  MutexLock lock(mutex_);
  while (!tasks_.empty() && taken.size() < kTasksMax && bytes < kTaskBytesMax) {
    bytes += tasks_.front().bytes;
    taken.push_back(std::move(tasks_.front()));
    tasks_.pop_front();
  }
  return taken;
}

absl::Status SessionStore::Commit(std::deque<Task>& tasks) {
  if (tables_ == nullptr) LT_RETURN_IF_ERROR(OpenDatabase());
  changed_.clear();
  LT_RETURN_IF_ERROR(tables_->Begin());
  absl::Status status = RunAll(tasks);
  if (status.ok()) status = tables_->Commit();
  if (status.ok()) return status;
  // What was begun is undone by closing, which does not need the disk to answer.
  tables_ = nullptr;
  database_ = nullptr;
  return status;
}

absl::Status SessionStore::RunAll(std::deque<Task>& tasks) {
  for (Task& task : tasks) {
    task.status = task.run();
    if (!task.reads && !IsRefusal(task.status)) LT_RETURN_IF_ERROR(task.status);
  }
  for (const auto& [id, row] : changed_) {
    if (row.has_value()) LT_RETURN_IF_ERROR(tables_->Update(*row));
  }
  return absl::OkStatus();
}

void SessionStore::Succeed(std::deque<Task> tasks, int64_t nanos) {
  {
    MutexLock lock(mutex_);
    for (auto& [id, row] : changed_) {
      if (row.has_value()) {
        bytes_ += static_cast<uint64_t>(row->bytes - rows_[id].bytes);
        rows_[id] = *row;
      } else {
        bytes_ -= static_cast<uint64_t>(rows_[id].bytes);
        rows_.erase(id);
      }
    }
    ++stats_.commits;
    stats_.commit_seconds += NanosToSeconds(nanos);
    stats_.durable = true;
    for (Task& task : tasks) {
      stats_.waiting_bytes -= task.bytes;
      if (task.answer != nullptr) *task.answer = std::move(task.status);
    }
  }
  answered_.NotifyAll();
  for (const Task& task : tasks) {
    if (task.done) task.done(/*durable=*/true);
  }
}

void SessionStore::Fail(std::deque<Task> tasks, const absl::Status& status) {
  std::vector<Done> done;
  {
    MutexLock lock(mutex_);
    ++stats_.failures;
    stats_.durable = false;
    for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
      if (task->done) done.push_back(std::exchange(task->done, nullptr));
      if (task->answer != nullptr) *task->answer = status;
      if (task->answer != nullptr || task->reads) {
        stats_.waiting_bytes -= task->bytes;
      } else {
        tasks_.push_front(std::move(*task));
      }
    }
  }
  answered_.NotifyAll();
  for (auto call = done.rbegin(); call != done.rend(); ++call) (*call)(/*durable=*/false);
}

void SessionStore::Push(Task task) {
  task.bytes += kTaskOverheadBytes;
  Done not_durable;
  {
    MutexLock lock(mutex_);
    const bool writes = task.answer == nullptr && !task.reads;
    const bool wanted = !writes || IsWanted(task);
    if (!wanted || (writes && !stats_.durable)) not_durable = std::exchange(task.done, nullptr);
    if (wanted) {
      stats_.waiting_bytes += task.bytes;
      tasks_.push_back(std::move(task));
    }
  }
  work_.NotifyAll();
  if (not_durable) not_durable(/*durable=*/false);
}

void SessionStore::BeginLife(const SessionKey& session) {
  MutexLock lock(mutex_);
  lives_[session.id] = session.life;
  broken_off_.erase(session.id);
}

// Life 0 is the store's own.
bool SessionStore::IsWanted(const Task& task) {
  const std::string& id = task.session.id;
  const auto life = lives_.find(id);
  if (life != lives_.end() && task.session.life != 0 && life->second != task.session.life) {
    return false;
  }
  if (!HasRoom(id, task.bytes)) broken_off_.insert(id);
  return !broken_off_.contains(id);
}

bool SessionStore::HasRoom(const std::string& id, uint64_t bytes) const {
  const auto row = rows_.find(id);
  const auto used = row == rows_.end() ? 0 : static_cast<uint64_t>(row->second.bytes);
  return stats_.waiting_bytes + bytes <= options_.waiting_bytes_max &&
         used + bytes <= options_.session_bytes_max && bytes_ + bytes <= options_.bytes_max;
}

void SessionStore::PushExpired() {
  std::vector<std::string> expired;
  {
    const int64_t now_nanos = clock_.MonotonicNanos();
    MutexLock lock(mutex_);
    if (!stats_.durable || (looked_nanos_ != 0 && now_nanos - looked_nanos_ < kLookNanos)) return;
    looked_nanos_ = now_nanos;
    const int64_t wall_nanos = clock_.WallNanos();
    for (const auto& [id, row] : rows_) {
      if (row.expire_wall_nanos.value_or(wall_nanos + 1) <= wall_nanos) expired.push_back(id);
      if (expired.size() == kExpiredMax) break;
    }
    if (expired.size() == kExpiredMax) looked_nanos_ -= kLookNanos;  // there may be more
  }
  for (const std::string& id : expired) {
    Push({.session = {.id = id}, .run = [this, id] {
            const SessionRow* row = Change(id);
            // Somebody may have taken it back meanwhile.
            if (row == nullptr || !row->expire_wall_nanos.has_value()) return absl::OkStatus();
            return Remove(id);
          }});
  }
}

absl::Status SessionStore::RunNow(const std::string& id, bool reads,
                                  std::function<absl::Status()> work) {
  const auto answer = std::make_shared<std::optional<absl::Status>>();
  Push({.session = {.id = id}, .run = std::move(work), .reads = reads, .answer = answer});
  if (!thread_.joinable()) {
    while (Step()) {
    }
  }
  MutexLock lock(mutex_);
  while (!answer->has_value()) answered_.Wait(mutex_);
  return **answer;
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
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.sessions = std::ssize(rows_);
  stats.bytes = bytes_;
  stats.broken_off = std::ssize(broken_off_);
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
  LT_RETURN_IF_ERROR(RunNow(id, /*reads=*/true, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    summary.row = *row;
    LT_ASSIGN_OR_RETURN(const RecordBytes first, tables_->FirstRecord(*row));
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
  LT_RETURN_IF_ERROR(RunNow(id, /*reads=*/true, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    session = tables_->Read(*row);
    return session.ok() ? absl::OkStatus() : Corrupt(id, std::string(session.status().message()));
  }));
  return session;
}

absl::StatusOr<Latents> SessionStore::LoadLatents(const StoredLatents& stored) {
  absl::StatusOr<Latents> latents;
  LT_RETURN_IF_ERROR(RunNow({}, /*reads=*/true, [&] {
    latents = tables_->GetLatents(stored);
    return latents.status();
  }));
  return latents;
}

// An error is the reader's, and no reason for others not to be written.
void SessionStore::ReadLatents(const StoredLatents& stored,
                               std::function<void(absl::StatusOr<Latents>)> done) {
  const auto latents = std::make_shared<absl::StatusOr<Latents>>(
      Error(Reason::kStorageUnavailable, "the session store cannot be read"));
  Push({.session = {},
        .run =
            [this, stored, latents] {
              *latents = tables_->GetLatents(stored);
              return absl::OkStatus();
            },
        .done = [latents, done = std::move(done)](bool) { done(std::move(*latents)); },
        .reads = true});
}

absl::Status SessionStore::Create(const SessionKey& session, const SessionCreated& created) {
  const std::string& id = session.id;
  {
    MutexLock lock(mutex_);
    if (!HasRoom(id, EncodeRecord(created).body.size())) {
      return Error(Reason::kStoreFull, absl::StrCat("the session store is full: ", bytes_, " of ",
                                                    options_.bytes_max, " bytes are taken"));
    }
  }
  LT_RETURN_IF_ERROR(RunNow(id, /*reads=*/false, [&] { return Insert(id, created); }));
  BeginLife(session);
  return absl::OkStatus();
}

absl::Status SessionStore::Insert(const std::string& id, const SessionCreated& created) {
  if (Change(id) != nullptr) return SessionExists(id);
  SessionRow row = {.id = id, .create_wall_nanos = created.create_wall_nanos};
  LT_RETURN_IF_ERROR(tables_->Insert(row));
  LT_RETURN_IF_ERROR(PutRecord(row, created));
  changed_[id] = row;
  return absl::OkStatus();
}

absl::Status SessionStore::Delete(const std::string& id) {
  return RunNow(id, /*reads=*/false,
                [&] { return Change(id) == nullptr ? NoSession(id) : Remove(id); });
}

absl::Status SessionStore::Remove(const std::string& id) {
  LT_RETURN_IF_ERROR(tables_->Remove(*Change(id)));
  changed_[id] = std::nullopt;
  return absl::OkStatus();
}

absl::Status SessionStore::CheckChunk(const std::string& id, int64_t chunk) const {
  LT_ASSIGN_OR_RETURN(const SessionRow row, Committed(id));
  return CheckChunkOf(row, chunk);
}

absl::Status SessionStore::Fork(const std::string& id, int64_t chunk, bool ended,
                                const std::string& fork_id) {
  return RunNow(id, /*reads=*/false, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    if (Change(fork_id) != nullptr) return SessionExists(fork_id);
    LT_RETURN_IF_ERROR(CheckChunkOf(*row, chunk));
    return InsertFork(*row, chunk, ended, fork_id);
  });
}

absl::Status SessionStore::InsertFork(const SessionRow& parent, int64_t chunk, bool ended,
                                      const std::string& fork_id) {
  LT_ASSIGN_OR_RETURN(StoredSession stored, tables_->Read(parent));
  stored.CutAt(chunk);
  stored.created.create_wall_nanos = clock_.WallNanos();
  SessionRow row;
  row.id = fork_id;
  row.create_wall_nanos = stored.created.create_wall_nanos;
  row.expire_wall_nanos = row.create_wall_nanos + options_.retention_nanos;
  row.parent = parent.number;
  LT_RETURN_IF_ERROR(tables_->Insert(row));
  LT_RETURN_IF_ERROR(PutRecord(row, stored.created));
  LT_RETURN_IF_ERROR(PutRecord(row, SessionForked{.parent = parent.number,
                                                  .records = parent.records,
                                                  .link = parent.link,
                                                  .chunk = chunk}));
  ShowProgress(stored, row);
  if (ended) LT_RETURN_IF_ERROR(PutRecord(row, SessionEnded()));
  changed_[fork_id] = row;
  return absl::OkStatus();
}

absl::Status SessionStore::Rewind(const std::string& id, int64_t chunk) {
  return RunNow(id, /*reads=*/false, [&] {
    SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    LT_RETURN_IF_ERROR(CheckChunkOf(*row, chunk));
    return PutRewound(*row, chunk);
  });
}

absl::Status SessionStore::PutRewound(SessionRow& row, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(StoredSession stored, tables_->Read(row));
  ++row.epoch;
  LT_RETURN_IF_ERROR(PutRecord(row, SessionRewound{.chunk = chunk, .epoch = row.epoch}));
  stored.CutAt(chunk);
  ShowProgress(stored, row);
  return absl::OkStatus();
}

absl::Status SessionStore::PutRecord(SessionRow& row, const longtake::Record& record) {
  if (IsThere(row, record)) return absl::OkStatus();
  LT_RETURN_IF_ERROR(tables_->Append(row, EncodeRecord(record)));
  if (std::holds_alternative<ChunkSettled>(record)) ++row.chunks;
  if (std::holds_alternative<SessionEnded>(record)) row.ended = true;
  if (const auto* decoded = std::get_if<ChunkDecoded>(&record)) {
    ++row.decoded;
    row.end_frame = decoded->end_frame;
  }
  return absl::OkStatus();
}

void SessionStore::Record(const SessionKey& session, const AcceptedEvent& event,
                          Recorded recorded) {
  Put(session, event,
      [recorded = std::move(recorded)](bool durable) { recorded(absl::OkStatus(), durable); });
}

void SessionStore::Put(const SessionKey& session, const longtake::Record& record, Done done) {
  const uint64_t bytes = EncodeRecord(record).body.size();
  Push({.session = session,
        .run =
            [this, id = session.id, record] {
              SessionRow* row = Change(id);
              return row == nullptr ? absl::OkStatus() : PutRecord(*row, record);
            },
        .done = std::move(done),
        .bytes = bytes});
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
  Push({.session = session,
        .run =
            [this, id = session.id, record, latents] {
              SessionRow* row = Change(id);
              if (row == nullptr || IsThere(*row, record)) return absl::OkStatus();
              LT_RETURN_IF_ERROR(tables_->PutLatents(*row, latents));
              return PutRecord(*row, record);
            },
        .done = std::move(done),
        .bytes = latents.values().size_bytes()});
}

void SessionStore::PutInUse(const SessionKey& session, bool in_use) {
  Push({.session = session, .run = [this, id = session.id, in_use] {
          SessionRow* row = Change(id);
          if (row == nullptr) return absl::OkStatus();
          row->expire_wall_nanos.reset();
          if (!in_use) row->expire_wall_nanos = clock_.WallNanos() + options_.retention_nanos;
          return absl::OkStatus();
        }});
}

}  // namespace longtake
