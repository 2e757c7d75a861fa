// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/stream_machine.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/error_reason.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/render.h"

namespace longtake {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

absl::Status ClientLeft() { return absl::CancelledError("the client went away"); }

}  // namespace

StreamMachine::StreamMachine(StreamWire& wire, std::shared_ptr<StreamHost> host)
    : wire_(wire), host_(std::move(host)), start_nanos_(host_->MonotonicNanos()) {}

void StreamMachine::Start() {
  MutexLock lock(mutex_);
  wire_.Read();
  wire_.WakeIn(kFirstMessageSeconds * kNanosPerSecond);
}

void StreamMachine::OnRead(v1::StreamRequest message) {
  MutexLock lock(mutex_);
  if (phase_ == Phase::kFinished) return;
  if (phase_ == Phase::kWaiting) {
    phase_ = Phase::kOpening;
    report_.asked = true;
    host_->OnAsked();
    return RunOpening(std::move(message));
  }
  HandleLater(std::move(message));
  Pump();
}

void StreamMachine::RunOpening(v1::StreamRequest first) {
  const uint64_t bytes = first.ByteSizeLong();
  const bool has_turn = host_->RunOpening(
      bytes, [self = shared_from_this(), first = std::move(first)] { self->Open(first); });
  if (!has_turn) Finish(BusyError());
}

// The client sends nothing more but may go on reading, unless the session still needs something of
// it.
void StreamMachine::OnReadEnd() {
  MutexLock lock(mutex_);
  absl::Status status;
  if (phase_ == Phase::kWaiting) {
    status = ProtocolError("the stream ended before its first message");
  } else if (phase_ == Phase::kLive) {
    status = WithFieldPrefix(session_->CheckStartIsWhole(), "start.");
  }
  if (status.ok()) return;
  // The library ends reading alike for a client that says no more and for one that is gone.
  counted_when_done_ = true;
  Finish(status);
}

void StreamMachine::OnGarbled() {
  MutexLock lock(mutex_);
  Finish(GarbledError("StreamRequest"));
}

void StreamMachine::OnWritten(bool ok) {
  MutexLock lock(mutex_);
  write_in_flight_ = false;
  if (phase_ == Phase::kFinished) return;
  if (!ok) return Finish(ClientLeft());
  if (chunk_frames_ != 0) {
    host_->OnDelivered(std::exchange(chunk_frames_, 0), std::exchange(chunk_bytes_, 0));
  }
  Pump();
  if (read_paused_) ReadMore();
}

void StreamMachine::OnCancelled() {
  MutexLock lock(mutex_);
  if (counted_when_done_) report_.status = ClientLeft();
  Finish(ClientLeft());
}

void StreamMachine::OnTime() {
  MutexLock lock(mutex_);
  if (done_) return;
  if (phase_ == Phase::kWaiting) {
    Finish(LateError(kFirstMessageSeconds));
  } else if (phase_ == Phase::kOpening && asks_again_.has_value()) {
    v1::StreamRequest first = *std::move(asks_again_);
    asks_again_.reset();
    RunOpening(std::move(first));
  } else if (phase_ == Phase::kFinished && write_in_flight_) {
    wire_.Cancel();
  }
}

void StreamMachine::OnDone() {
  MutexLock lock(mutex_);
  done_ = true;
  if (counted_when_done_) host_->OnFinished(report_.status);
}

StreamMachine::Report StreamMachine::report() const {
  MutexLock lock(mutex_);
  return report_;
}

bool StreamMachine::IsFinished() const {
  MutexLock lock(mutex_);
  return phase_ == Phase::kFinished;
}

void StreamMachine::Wake() {
  if (wake_scheduled_.exchange(true)) return;
  host_->Run([self = shared_from_this()] {
    self->wake_scheduled_ = false;
    MutexLock lock(self->mutex_);
    self->Pump();
  });
}

void StreamMachine::Open(const v1::StreamRequest& first) {
  if (IsFinished()) return;
  absl::StatusOr<StreamOpening> opening = host_->Open(first, [weak = weak_from_this()] {
    if (const auto stream = weak.lock()) stream->Wake();
  });
  if (opening.ok()) host_->OnOpened(opening->session->Info());
  {
    MutexLock lock(mutex_);
    if (phase_ != Phase::kFinished) {
      if (IsNeedsDisk(opening.status())) return RunOpening(first);
      if (IsMakingRoom(opening.status())) {
        asks_again_ = first;
        return wire_.WakeIn(kRoomLookNanos);
      }
      if (!opening.ok()) return Finish(opening.status());
      return GoLive(*std::move(opening));
    }
  }
  if (opening.ok()) host_->CloseUnread(*opening);
}

void StreamMachine::GoLive(StreamOpening opening) {
  session_ = std::move(opening.session);
  report_.session_id = session_->id();
  attachment_ = opening.attachment;
  made_session_ = opening.made;
  media_ = std::move(opening.media);
  phase_ = Phase::kLive;
  v1::Opened& opened = *queued_.emplace_back().mutable_opened();
  host_->Render(*session_, opened.mutable_session());
  opened.set_next_chunk(session_->next_unsent());
  opened.set_init_segment(media_->init_segment());
  ReadMore();
  Pump();
}

void StreamMachine::ReadMore() {
  // A session that has ended takes no more messages, and a client that goes on sending must not
  // keep it alive.
  if (phase_ != Phase::kLive || ending_) return;
  read_paused_ = queued_.size() >= kUnsentReceiptsMax;
  if (!read_paused_) wire_.Read();
}

void StreamMachine::Pump() {
  EndIfLost();
  while (phase_ == Phase::kLive && !write_in_flight_ && !encoding_) {
    if (!queued_.empty()) {
      WriteQueued();
    } else if (media_->HasPart()) {
      WritePart();
    } else if (ending_ && !submitting_) {
      Finish(absl::OkStatus());
    } else if (submitting_ || !PollSession()) {
      return;
    }
  }
}

// Also while a control is being answered or a chunk encoded, as no further wake-up will come.
void StreamMachine::EndIfLost() {
  if (phase_ != Phase::kLive) return;
  const absl::Status status = session_->CheckReader(attachment_);
  if (!status.ok()) Finish(status);
}

// False when there is nothing for now.
bool StreamMachine::PollSession() {
  absl::StatusOr<std::optional<SessionOutput>> polled = session_->Poll(attachment_);
  if (!polled.ok()) {
    Finish(polled.status());
    return false;
  }
  if (!polled->has_value()) return false;
  const SessionOutput& output = **polled;
  if (const auto* chunk = std::get_if<std::shared_ptr<const MediaChunk>>(&output)) Take(*chunk);
  if (const auto* applied = std::get_if<EventApplied>(&output)) {
    RenderReceipt(*applied, queued_.emplace_back().mutable_receipt());
  }
  if (const auto* end = std::get_if<SessionEnd>(&output)) Take(*end);
  return true;
}

void StreamMachine::Take(std::shared_ptr<const MediaChunk> chunk) {
  encoding_ = true;
  host_->Run([self = shared_from_this(), chunk = std::move(chunk)] { self->Encode(chunk); });
}

void StreamMachine::Take(const SessionEnd& end) {
  if (!end.status.ok()) return Finish(end.status);
  host_->Render(*session_, queued_.emplace_back().mutable_ended()->mutable_session());
  ending_ = true;
}

void StreamMachine::Encode(std::shared_ptr<const MediaChunk> chunk) {
  const int64_t begin_nanos = host_->MonotonicNanos();
  const absl::Status status = media_->Encode(std::move(chunk));
  const int64_t end_nanos = host_->MonotonicNanos();
  host_->OnEncoded(NanosToSeconds(end_nanos - begin_nanos));
  MutexLock lock(mutex_);
  encoding_ = false;
  if (phase_ == Phase::kFinished) {
    media_.reset();
    return;
  }
  if (!status.ok()) return Finish(status);
  CountInterval(end_nanos);
  Pump();
}

void StreamMachine::CountInterval(int64_t encoded_nanos) {
  if (last_chunk_nanos_.has_value()) {
    host_->OnNextChunk(NanosToSeconds(encoded_nanos - *last_chunk_nanos_));
  } else if (made_session_) {
    host_->OnFirstChunk(NanosToSeconds(encoded_nanos - start_nanos_));
  }
  last_chunk_nanos_ = encoded_nanos;
}

void StreamMachine::WriteQueued() {
  write_in_flight_ = true;
  wire_.Write(queued_.front());
  queued_.pop_front();
}

void StreamMachine::WritePart() {
  v1::StreamResponse message;
  v1::Chunk& part = *message.mutable_chunk();
  media_->NextPart(&part);
  part.set_durable_through(session_->durable_through());
  part.set_epoch(session_->epoch());
  chunk_bytes_ += part.data().size();
  if (part.last_part()) chunk_frames_ = part.frame_count();
  write_in_flight_ = true;
  wire_.Write(message);
}

void StreamMachine::Finish(const absl::Status& status) {
  if (phase_ == Phase::kFinished) return;
  phase_ = Phase::kFinished;
  report_.status = status;
  if (!counted_when_done_) host_->OnFinished(status);
  if (session_ != nullptr) session_->Detach(attachment_);
  // What was held for the client goes now, not when the wire is done.
  session_ = nullptr;
  queued_.clear();
  if (!encoding_) media_.reset();
  wire_.Finish(status);
  // The status still reaches a client that goes on reading in time.
  if (write_in_flight_) wire_.WakeIn(kLastWriteSeconds * kNanosPerSecond);
}

}  // namespace longtake
