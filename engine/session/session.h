// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a client and the engine meet: an inbox of events, an outbox of chunks, and who is attached,
// under one lock. Everything here is bounded. A full outbox has one effect: the session is left out
// of the next plan. All methods are safe from any thread; the engine's own state of a session is in
// Rollout.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/session/attach_rate.h"
#include "engine/session/attachment.h"
#include "engine/session/event_sink.h"
#include "engine/session/inbox.h"
#include "engine/session/outbox.h"
#include "engine/session/pending_records.h"
#include "engine/session/resolved_spec.h"
#include "engine/session/session_beginning.h"
#include "engine/session/session_event.h"
#include "engine/session/session_info.h"
#include "engine/session/session_limits.h"
#include "engine/session/session_reservations.h"
#include "engine/session/start_pace.h"
#include "engine/session/start_upload.h"

namespace longtake {

// Called once for each session, on any thread, without locks: OK when it ended as asked.
using SessionEndObserver = std::function<void(const std::string& id, const absl::Status& status)>;

class Session {
 public:
  // wake_engine is called, without the lock, whenever the engine may have something to do; on_end
  // once, when it is known how the session ended. sink records the events.
  Session(SessionKey key, ResolvedSpec spec, SessionLimits limits, SessionReservations memory,
          Clock& clock, std::function<void()> wake_engine, SessionEndObserver on_end = {},
          EventSink& sink = NoRecords::Get());
  // Continues from there. Only before any other thread knows the session.
  void BeginAt(SessionBeginning beginning) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string& id() const { return key_.id; }
  const SessionKey& key() const { return key_; }
  const ResolvedSpec& spec() const { return spec_; }
  int64_t create_wall_nanos() const { return create_wall_nanos_; }
  int64_t epoch() const { return epoch_; }

  // --- The client's side -------------------------------------------------------------------------

  // Makes the caller the session's only reader, from chunk next_chunk on (-1: the oldest not yet
  // sent). An earlier reader's Poll returns ABORTED from now on. OUT_OF_RANGE when the outbox no
  // longer holds that chunk or it lies in the future, RESOURCE_EXHAUSTED when it was attached to
  // too often. wake is called, without the lock, when Poll may give more.
  absl::StatusOr<uint64_t> Attach(int64_t next_chunk, std::function<void()> wake)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The errors of Attach, without attaching.
  absl::Status CheckAttach(int64_t next_chunk) const ABSL_LOCKS_EXCLUDED(mutex_);
  // OK while the reader may get more. ABORTED when another took over, the reason of Cancel when the
  // session was cancelled.
  absl::Status CheckReader(uint64_t reader) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The reader went away; the ttl starts. False, and nothing happens, when another took over.
  bool Detach(uint64_t reader) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next output, or nothing for now. A chunk is counted as sent when it is polled, so a reader
  // polls only when it can send.
  absl::StatusOr<std::optional<SessionOutput>> Poll(uint64_t reader) ABSL_LOCKS_EXCLUDED(mutex_);
  // Has an event recorded and accepts it; its number comes back, its application is an output. One
  // whose control_id was accepted before is not taken again: the first number comes back, also when
  // the session is over, and while the first is being recorded its answer is awaited.
  // RESOURCE_EXHAUSTED when too many wait, those that are being recorded included,
  // FAILED_PRECONDITION when the session is over, and the sink's error when it cannot record. With
  // a reader, ABORTED when another took over.
  //
  // done is called when the sink has answered, maybe on its thread and maybe before Submit returns.
  // Until then the session must live: whoever submits holds it in done.
  void Submit(SessionEvent event, std::vector<int32_t> prompt_ids, std::optional<uint64_t> reader,
              SubmitDone done) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, and waits for the answer. Not on a thread that the sink needs.
  absl::StatusOr<EventAccepted> Submit(SessionEvent event, std::vector<int32_t> prompt_ids,
                                       std::optional<uint64_t> reader = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The next bytes of the frames the take begins with, RGB24, frame after frame, from its reader
  // (0: before anybody attached). INVALID_ARGUMENT when they are not the next ones, too many or not
  // expected, ABORTED when another reader took over. What comes after the end is thrown away, and
  // so is what came before and is still being recorded: another reader may have begun it.
  //
  // Otherwise done is called once, as that of Submit and holding the session as well, when the sink
  // has answered; from then on they count as arrived.
  absl::Status PutStart(uint64_t reader, int64_t offset, std::string_view bytes,
                        std::function<void(const absl::Status&)> done = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  // INVALID_ARGUMENT while bytes of those frames are missing.
  absl::Status CheckStartIsWhole() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Stops the session, honoured between layers.
  void Cancel(absl::Status why) ABSL_LOCKS_EXCLUDED(mutex_);
  SessionInfo Info() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Since its last reader went; 0 while there is one.
  int64_t NanosAlone() const ABSL_LOCKS_EXCLUDED(mutex_);

  // --- The engine's side -------------------------------------------------------------------------

  std::vector<AcceptedEvent> TakeEvents() ABSL_LOCKS_EXCLUDED(mutex_);
  Inbox CopyInbox() const ABSL_LOCKS_EXCLUDED(mutex_);
  SavedAttachment SaveAttachment() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The frames the take begins with, once all are there; nothing before and after.
  std::optional<StartFrames> TakeStart() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a chunk of this size fits beside what is unsent, with in_flight_bytes still to come.
  // The first unsent chunk always fits.
  bool HasRoom(uint64_t chunk_bytes, uint64_t in_flight_bytes) const ABSL_LOCKS_EXCLUDED(mutex_);
  void PutChunk(std::shared_ptr<const MediaChunk> chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // The second receipt of an event: from this chunk on it holds.
  void PutApplied(uint64_t sequence, int64_t chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same of an event that a session that failed was asked: where it is kept on disk the event
  // waits on, and has no receipt.
  void PutLeftOver(uint64_t sequence, int64_t chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // One is on its way, once it is recorded; the reader's last output waits for it.
  void ExpectApplied() ABSL_LOCKS_EXCLUDED(mutex_);
  // Chunks wait in the outbox until they are released: from the first call on those before this one
  // may be sent.
  void ReleaseChunks(int64_t end) ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t next_unsent() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Chunks before this one will be the same after a crash, digests and all.
  void PutDurable(int64_t end) ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t durable_through() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Why the last snapshot that it wanted was not made; empty: it was.
  void PutSnapshotRefusal(std::string why) ABSL_LOCKS_EXCLUDED(mutex_);
  // No further chunk comes. The first call decides the status. Events that the engine did not take
  // any more get their second receipt now, unless they wait on in a store; the reader's last output
  // waits for those that are still being recorded.
  void PutEnd(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetState(SessionState state) ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // No further chunk comes, so work for it can be dropped.
  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Why it ended; OK while it did not.
  absl::Status end_status() const ABSL_LOCKS_EXCLUDED(mutex_);
  // CANCELLED when its time is over: no reader is attached and the ttl has run out (before the
  // first reader, first_attach_nanos), or one is and keeps it waiting (attached_idle_nanos), or its
  // start frames do not come or come too slowly.
  absl::Status CheckLife() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Expired() const { return !CheckLife().ok(); }

 private:
  // Puts the session's name to an error of inbox or outbox.
  absl::Status OfThisSession(const absl::Status& status) const;
  absl::Status NotHeld(const absl::Status& status) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TakenOver() const;
  absl::Status CheckAttachRate() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first step of Submit: the answer, when there is one already. Otherwise done is kept until
  // the event is recorded; one that has a number now is to be recorded, without the lock.
  absl::StatusOr<std::optional<EventAccepted>> Number(std::optional<uint64_t> reader,
                                                      AcceptedEvent& event, SubmitDone& done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The last step: accepts what can be, or refuses it. The session may be gone when it returns.
  void OnRecorded(uint64_t sequence, const absl::Status& result, bool durable)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<EventAccepted> Accept(PendingRecords::Record& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Its chunks wait until they are recorded, as a store keeps it.
  bool is_kept() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return released_ != kAllReleased; }
  // What nobody took any more gets its second receipt, where that is true.
  void CloseInbox() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool ChunkIsReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnStartRecorded(size_t offset) ABSL_LOCKS_EXCLUDED(mutex_);
  // Bytes of the frames it begins with are still missing.
  bool AwaitsStart() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When they come too late; nothing while they are not awaited.
  std::optional<int64_t> StartDueNanos() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StartLate() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Something is being recorded of which its client awaits to hear.
  bool WaitsForDisk() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The disk answers: so long it was not the client that kept the session waiting.
  void HearDisk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GoOnWithPace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Nothing happens before its client sends or takes something.
  bool WaitsForClient() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when it has ended already.
  bool End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // To on_end_, then to the reader.
  void TellEnd(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // How long it lives without a client, from the last one on.
  int64_t LifeNanos() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static constexpr int64_t kAllReleased = std::numeric_limits<int64_t>::max();

  const SessionKey key_;
  const ResolvedSpec spec_;
  const SessionLimits limits_;
  Clock& clock_;
  const std::function<void()> wake_engine_;
  const SessionEndObserver on_end_;
  EventSink& sink_;
  // Constant once other threads know the session.
  int64_t create_wall_nanos_;
  int64_t epoch_ = 0;

  mutable Mutex mutex_;
  SessionState state_ ABSL_GUARDED_BY(mutex_) = SessionState::kStarting;
  PendingRecords records_ ABSL_GUARDED_BY(mutex_);
  Inbox inbox_ ABSL_GUARDED_BY(mutex_);
  Outbox outbox_ ABSL_GUARDED_BY(mutex_);
  Attachment attachment_ ABSL_GUARDED_BY(mutex_);
  AttachRate attach_rate_ ABSL_GUARDED_BY(mutex_);
  SessionReservations memory_ ABSL_GUARDED_BY(mutex_);
  StartUpload start_ ABSL_GUARDED_BY(mutex_);
  StartPace start_pace_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool end_told_ ABSL_GUARDED_BY(mutex_) = false;  // to on_end_; the reader may hear of it
  bool end_sent_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t released_ ABSL_GUARDED_BY(mutex_) = kAllReleased;  // chunks before it may be sent
  int64_t durable_through_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string snapshot_refusal_ ABSL_GUARDED_BY(mutex_);
  size_t applied_expected_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
