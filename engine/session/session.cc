// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

// An answer that another thread may give.
class AwaitedAnswer {
 public:
  void Put(const absl::StatusOr<EventAccepted>& answer) {
    MutexLock lock(mutex_);
    answer_ = answer;
    came_.NotifyAll();
  }
  absl::StatusOr<EventAccepted> Wait() {
    MutexLock lock(mutex_);
    while (!answer_.has_value()) came_.Wait(mutex_);
    return *answer_;
  }

 private:
  Mutex mutex_;
  CondVar came_;
  std::optional<absl::StatusOr<EventAccepted>> answer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Session::Session(SessionKey key, ResolvedSpec spec, SessionLimits limits,
                 SessionReservations memory, Clock& clock, std::function<void()> wake_engine,
                 SessionEndObserver on_end, EventSink& sink)
    : key_(std::move(key)),
      spec_(std::move(spec)),
      limits_(limits),
      clock_(clock),
      wake_engine_(std::move(wake_engine)),
      on_end_(std::move(on_end)),
      sink_(sink),
      create_wall_nanos_(clock.WallNanos()),
      inbox_(limits.inbox_events_max),
      outbox_(limits.outbox_bytes_max),
      attachment_(clock.MonotonicNanos()),
      memory_(std::move(memory)) {}

absl::Status Session::OfThisSession(const absl::Status& status) const {
  return WithMetadata(Annotate(status, "session " + key_.id), "session", key_.id);
}

absl::Status Session::TakenOver() const {
  return Error(Reason::kTakenOver,
               absl::StrCat("session ", key_.id, " was attached by another client"),
               {{"session", key_.id}});
}

absl::Status Session::CheckAttachRate() const {
  if (attach_rate_.Allows(clock_.MonotonicNanos(), limits_.attaches)) return absl::OkStatus();
  return Error(Reason::kAttachedTooOften,
               absl::StrCat("session ", key_.id, " was attached to too often in a short time"),
               {{"session", key_.id}});
}

absl::StatusOr<uint64_t> Session::Attach(int64_t next_chunk, std::function<void()> wake) {
  std::function<void()> wake_previous;
  uint64_t reader = 0;
  {
    MutexLock lock(mutex_);
    LT_RETURN_IF_ERROR(CheckAttachRate());
    if (absl::Status status = outbox_.Seek(next_chunk); !status.ok()) return NotHeld(status);
    end_sent_ = false;
    const int64_t now_nanos = clock_.MonotonicNanos();
    attach_rate_.Count(now_nanos, limits_.attaches);
    wake_previous = attachment_.Attach(std::move(wake), now_nanos);
    start_pace_.Begin(now_nanos);
    start_.BeginReader();
    reader = attachment_.latest();
  }
  if (wake_previous) wake_previous();
  wake_engine_();
  return reader;
}

absl::Status Session::CheckAttach(int64_t next_chunk) const {
  MutexLock lock(mutex_);
  LT_RETURN_IF_ERROR(CheckAttachRate());
  Outbox tried = outbox_;
  const absl::Status status = tried.Seek(next_chunk);
  return status.ok() ? status : NotHeld(status);
}

// With what is on disk of it: less than was told is a loss.
absl::Status Session::NotHeld(const absl::Status& status) const {
  const std::string durable = std::to_string(durable_through_);
  return WithMetadata(WithMetadata(OfThisSession(status), "durable_through", durable), "epoch",
                      std::to_string(epoch_));
}

absl::Status Session::CheckReader(uint64_t reader) const {
  MutexLock lock(mutex_);
  if (reader != attachment_.latest()) return TakenOver();
  return cancelled_ ? end_status_ : absl::OkStatus();
}

bool Session::Detach(uint64_t reader) {
  std::function<void()> last_use;  // destroyed after the lock is gone
  {
    MutexLock lock(mutex_);
    if (reader != attachment_.latest() || !attachment_.attached()) return false;
    last_use = attachment_.Detach(reader, clock_.MonotonicNanos());
  }
  wake_engine_();
  return true;
}

absl::StatusOr<std::optional<SessionOutput>> Session::Poll(uint64_t reader) {
  std::optional<SessionOutput> output;
  {
    MutexLock lock(mutex_);
    if (reader != attachment_.latest()) return TakenOver();
    // A receipt goes before the chunk it holds for. Who cancelled wants no more chunks.
    const bool chunk_ready = ChunkIsReady();
    const EventApplied* applied = inbox_.next_applied();
    if (applied != nullptr && (!chunk_ready || applied->chunk <= outbox_.next_unsent())) {
      output = inbox_.PopApplied();
    } else if (chunk_ready) {
      output = outbox_.Pop();
    } else if (end_told_ && !end_sent_ && records_.empty() && applied_expected_ == 0 &&
               !outbox_.ready()) {
      end_sent_ = true;
      output = SessionEnd{end_status_};
    }
    if (output.has_value()) attachment_.Hear(clock_.MonotonicNanos());
  }
  if (output.has_value()) wake_engine_();
  return output;
}

absl::StatusOr<EventAccepted> Session::Submit(SessionEvent event, std::vector<int32_t> prompt_ids,
                                              std::optional<uint64_t> reader) {
  AwaitedAnswer answer;
  Submit(std::move(event), std::move(prompt_ids), reader,
         [&answer](const absl::StatusOr<EventAccepted>& result) { answer.Put(result); });
  return answer.Wait();
}

void Session::Submit(SessionEvent event, std::vector<int32_t> prompt_ids,
                     std::optional<uint64_t> reader, SubmitDone done) {
  AcceptedEvent numbered = {.event = std::move(event), .prompt_ids = std::move(prompt_ids)};
  absl::StatusOr<std::optional<EventAccepted>> answer;
  {
    MutexLock lock(mutex_);
    answer = Number(reader, numbered, done);
  }
  if (!answer.ok()) return done(answer.status());
  if (answer->has_value()) return done(**answer);
  if (numbered.sequence == 0) return;  // it is being recorded already
  sink_.Record(key_, numbered,
               [this, sequence = numbered.sequence](const absl::Status& result, bool durable) {
                 OnRecorded(sequence, result, durable);
               });
}

absl::StatusOr<std::optional<EventAccepted>> Session::Number(std::optional<uint64_t> reader,
                                                             AcceptedEvent& event,
                                                             SubmitDone& done) {
  if (reader.has_value() && *reader != attachment_.latest()) return TakenOver();
  const auto known = inbox_.Find(event.event);
  const auto record = records_.Find(event.event);
  const bool is_new = known.ok() && !known->has_value() && record.ok() && *record == nullptr;
  if (ended_ && is_new) {
    return Error(Reason::kSessionOver, absl::StrCat("session ", key_.id, " has ended"),
                 {{"session", key_.id}});
  }
  const int64_t now_nanos = clock_.MonotonicNanos();
  attachment_.Hear(now_nanos);
  if (!known.ok() || known->has_value()) return known;
  if (!record.ok()) return record.status();
  if (const absl::Status room = inbox_.CheckRoom(event.event.kind, records_.waiting());
      !room.ok()) {
    return OfThisSession(room);
  }
  if (is_new) {
    event.sequence = inbox_.Number();
    records_.Add(event, std::move(done));
    start_pace_.Stop(now_nanos);
  } else {
    (*record)->waiting.push_back(std::move(done));
  }
  return std::nullopt;
}

void Session::OnRecorded(uint64_t sequence, const absl::Status& result, bool durable) {
  std::vector<PendingRecords::Record> records;
  std::vector<absl::StatusOr<EventAccepted>> answers;
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    HearDisk();
    records_.Finish(sequence, result, durable);
    records = records_.TakeDone();
    if (records.empty()) return;
    GoOnWithPace();
    for (PendingRecords::Record& record : records) answers.push_back(Accept(record));
    if (ended_) wake = attachment_.wake();
  }
  wake_engine_();
  if (wake) wake();
  // The last one that is answered may have been the session's last owner.
  for (size_t i = 0; i < records.size(); ++i) {
    for (const SubmitDone& done : records[i].waiting) done(answers[i]);
  }
}

absl::StatusOr<EventAccepted> Session::Accept(PendingRecords::Record& record) {
  if (!record.result->ok()) return OfThisSession(*record.result);
  const EventAccepted accepted = inbox_.Accept(std::move(record.event), record.durable);
  if (ended_) CloseInbox();  // nobody will take it
  return accepted;
}

absl::Status Session::PutStart(uint64_t reader, int64_t offset, std::string_view bytes,
                               std::function<void(const absl::Status&)> done) {
  std::string_view added;
  size_t begin = 0;
  bool is_whole = false;
  {
    MutexLock lock(mutex_);
    if (reader != attachment_.latest()) return TakenOver();
    if (!ended_) {
      begin = start_.size();
      LT_ASSIGN_OR_RETURN(added, start_.Add(spec_, offset, bytes));
    }
    if (!added.empty()) {
      const int64_t now_nanos = clock_.MonotonicNanos();
      attachment_.Hear(now_nanos);
      start_pace_.Hear(now_nanos);
      start_pace_.Stop(now_nanos);
    }
    is_whole = start_.is_whole(spec_);
  }
  if (added.empty()) {
    if (done) done(absl::OkStatus());
    return absl::OkStatus();
  }
  sink_.RecordStart(key_, static_cast<int64_t>(begin), added,
                    [this, begin, done = std::move(done)](const absl::Status& result, bool) {
                      OnStartRecorded(begin);
                      if (done) done(result);
                    });
  if (is_whole) wake_engine_();
  return absl::OkStatus();
}

void Session::OnStartRecorded(size_t offset) {
  MutexLock lock(mutex_);
  HearDisk();
  start_.OnRecorded(offset);
  GoOnWithPace();
}

absl::Status Session::CheckStartIsWhole() const {
  MutexLock lock(mutex_);
  if (!AwaitsStart()) return absl::OkStatus();
  return FieldError("data", absl::StrCat("only ", start_.size(), " of the ", spec_.start_bytes(),
                                         " bytes of ", spec_.start_frames, " frames came"));
}

std::optional<StartFrames> Session::TakeStart() {
  MutexLock lock(mutex_);
  if (start_.taken() || !start_.is_whole(spec_)) return std::nullopt;
  return StartFrames{.memory = std::move(memory_.start), .rgb = start_.Take()};
}

SessionInfo Session::Info() const {
  MutexLock lock(mutex_);
  SessionInfo info;
  info.id = key_.id;
  info.spec = spec_.AsRequest();
  info.state = state_;
  info.failure = end_status_;
  info.create_wall_nanos = create_wall_nanos_;
  info.chunk_count = outbox_.next_chunk();
  info.frame_count = outbox_.frame_count();
  info.start_bytes = start_.recorded();
  info.oldest_chunk_held = outbox_.oldest_chunk();
  info.next_chunk = outbox_.next_unsent();
  info.outbox_bytes = outbox_.held_bytes();
  info.durable_through = durable_through_;
  info.epoch = epoch_;
  info.snapshot_refusal = snapshot_refusal_;
  info.durable = is_kept();
  info.attached = attachment_.attached();
  if (!info.attached) {
    const int64_t now_nanos = clock_.MonotonicNanos();
    const int64_t left_nanos = LifeNanos() - attachment_.NanosAlone(now_nanos);
    const int64_t start_left_nanos = StartDueNanos().value_or(now_nanos + left_nanos) - now_nanos;
    info.expire_wall_nanos = clock_.WallNanos() + std::min(left_nanos, start_left_nanos);
  }
  return info;
}

void Session::BeginAt(SessionBeginning beginning) {
  MutexLock lock(mutex_);
  inbox_ = std::move(beginning.inbox);
  outbox_ = Outbox(limits_.outbox_bytes_max, beginning.chunk, beginning.frame, beginning.made);
  start_.BeginAt(spec_, beginning.has_start, std::move(beginning.start));
  epoch_ = beginning.epoch;
  create_wall_nanos_ = beginning.create_wall_nanos.value_or(create_wall_nanos_);
  if (beginning.has_start) memory_.start.Return();
  attachment_.BeginAt(beginning.attachment, clock_.MonotonicNanos(), clock_.WallNanos());
}

Inbox Session::CopyInbox() const {
  MutexLock lock(mutex_);
  return inbox_;
}

std::vector<AcceptedEvent> Session::TakeEvents() {
  MutexLock lock(mutex_);
  return inbox_.Take();
}

bool Session::HasRoom(uint64_t chunk_bytes, uint64_t in_flight_bytes) const {
  MutexLock lock(mutex_);
  return outbox_.HasRoom(chunk_bytes, in_flight_bytes);
}

void Session::PutChunk(std::shared_ptr<const MediaChunk> chunk) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    // A chunk that was already in the decode lane when its session failed or was deleted.
    if (ended_ || cancelled_) return;
    outbox_.Put(std::move(chunk));
    wake = attachment_.wake();
  }
  if (wake) wake();
}

void Session::PutApplied(uint64_t sequence, int64_t chunk) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    HearDisk();
    inbox_.PutApplied(sequence, chunk);
    if (applied_expected_ > 0) --applied_expected_;
    wake = attachment_.wake();
  }
  if (wake) wake();
}

void Session::PutLeftOver(uint64_t sequence, int64_t chunk) {
  {
    MutexLock lock(mutex_);
    if (is_kept()) return;
  }
  PutApplied(sequence, chunk);
}

// One that was asked of a session that is parked or failed comes to hold when it comes back.
void Session::CloseInbox() {
  if (!is_kept() || end_status_.ok()) inbox_.Close(outbox_.next_chunk());
}

void Session::ExpectApplied() {
  MutexLock lock(mutex_);
  ++applied_expected_;
}

void Session::ReleaseChunks(int64_t end) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    HearDisk();
    released_ = is_kept() ? std::max(released_, end) : end;
    wake = attachment_.wake();
  }
  if (wake) wake();
}

int64_t Session::next_unsent() const {
  MutexLock lock(mutex_);
  return outbox_.next_unsent();
}

void Session::PutDurable(int64_t end) {
  MutexLock lock(mutex_);
  durable_through_ = std::max(durable_through_, end);
}

void Session::PutSnapshotRefusal(std::string why) {
  MutexLock lock(mutex_);
  snapshot_refusal_ = std::move(why);
}

int64_t Session::durable_through() const {
  MutexLock lock(mutex_);
  return durable_through_;
}

bool Session::ChunkIsReady() const {
  return outbox_.ready() && !cancelled_ && outbox_.next_unsent() < released_;
}

void Session::SetState(SessionState state) {
  MutexLock lock(mutex_);
  if (!ended_) state_ = state;
}

}  // namespace longtake
