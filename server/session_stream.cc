// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/session_stream.h"

#include <grpc/support/time.h>
#include <grpcpp/server_context.h>

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/grpc_status.h"
#include "server/limits.h"
#include "server/log.h"

namespace longtake {

namespace {

gpr_timespec In(int64_t seconds) { return gpr_time_from_seconds(seconds, GPR_TIMESPAN); }

}  // namespace

SessionStream* SessionStream::Start(ServiceContext& context, grpc::CallbackServerContext& call,
                                    Caller caller) {
  auto stream = std::make_shared<SessionStream>(context, call, std::move(caller));
  stream->self_ = stream;
  ++context.streams;
  context.metrics.StreamOpened();
  stream->StartRead(&stream->request_);
  stream->AwaitFirstMessage();
  return stream.get();
}

SessionStream::SessionStream(ServiceContext& context, grpc::CallbackServerContext& call,
                             Caller caller)
    : context_(context),
      call_(call),
      caller_(std::move(caller)),
      start_nanos_(context.clock.MonotonicNanos()) {}

void SessionStream::AwaitFirstMessage() {
  first_message_.Set(In(kFirstMessageSeconds), [weak = weak_from_this()](bool in_time) {
    const auto stream = weak.lock();
    if (!in_time || stream == nullptr) return;
    MutexLock lock(stream->mutex_);
    if (stream->phase_ != Phase::kWaiting) return;
    stream->FinishCall(
        ProtocolError(absl::StrCat("no first message came within ", kFirstMessageSeconds, " s")));
  });
}

void SessionStream::OnReadDone(bool ok) {
  MutexLock lock(mutex_);
  if (phase_ == Phase::kFinished) return;
  if (!ok) {
    HandleHalfClose();
    return;
  }
  if (phase_ == Phase::kWaiting) {
    phase_ = Phase::kOpening;
    asked_ = true;
    context_.workers.Schedule([self = shared_from_this()] { self->Open(); });
    return;
  }
  HandleMessage();
  Pump();
}

void SessionStream::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  write_in_flight_ = false;
  if (phase_ == Phase::kFinished) return;
  if (!ok) {
    FinishCall(absl::CancelledError("the client went away"));
    return;
  }
  if (message_.has_chunk()) {
    chunk_bytes_ += message_.chunk().data().size();
    if (message_.chunk().last_part()) {
      context_.metrics.ChunkDelivered(message_.chunk().frame_count(), chunk_bytes_);
      chunk_bytes_ = 0;
    }
  }
  if (read_paused_ && queued_.size() < kUnsentReceiptsMax) {
    read_paused_ = false;
    ReadMore();
  }
  Pump();
}

void SessionStream::OnCancel() {
  MutexLock lock(mutex_);
  FinishCall(absl::CancelledError("the client went away"));
}

void SessionStream::OnDone() {
  {
    MutexLock lock(mutex_);
    done_ = true;
  }
  first_message_.Cancel();
  last_write_.Cancel();
  LogClosed();
  --context_.streams;
  context_.metrics.StreamClosed();
  // Maybe the last owner: nothing may follow.
  const std::shared_ptr<SessionStream> last = std::move(self_);
}

void SessionStream::Wake() {
  if (wake_scheduled_.exchange(true)) return;
  context_.workers.Schedule([self = shared_from_this()] {
    self->wake_scheduled_ = false;
    MutexLock lock(self->mutex_);
    self->Pump();
  });
}

void SessionStream::Open() {
  absl::StatusOr<StreamOpening> opening =
      OpenStream(context_, request_, caller_, [weak = weak_from_this()] {
        if (const auto stream = weak.lock()) stream->Wake();
      });
  if (opening.ok()) {
    const SessionInfo info = opening->session->Info();
    Log(LogLevel::kInfo, "stream opened", {{"session", info.id}, {"next_chunk", info.next_chunk}});
  }
  {
    MutexLock lock(mutex_);
    if (phase_ != Phase::kFinished) {
      if (!opening.ok()) return FinishCall(opening.status());
      return GoLive(*std::move(opening));
    }
  }
  if (opening.ok()) CloseUnread(context_, *opening);
}

void SessionStream::GoLive(StreamOpening opening) {
  session_ = std::move(opening.session);
  session_id_ = session_->id();
  attachment_ = opening.attachment;
  opened_session_ = opening.made;
  media_ = std::move(opening.media);
  phase_ = Phase::kLive;
  const SessionInfo info = session_->Info();
  v1::Opened& opened = *queued_.emplace_back().mutable_opened();
  RenderSession(info, context_.model, opened.mutable_session());
  opened.set_next_chunk(info.next_chunk);
  opened.set_init_segment(media_->init_segment());
  ReadMore();
  Pump();
}

void SessionStream::ReadMore() {
  if (phase_ != Phase::kLive) return;
  if (queued_.size() >= kUnsentReceiptsMax) {
    read_paused_ = true;
    return;
  }
  StartRead(&request_);
}

// The client says no more; it may well go on listening, to what needs no more of it.
void SessionStream::HandleHalfClose() {
  if (phase_ == Phase::kWaiting) {
    FinishCall(ProtocolError("the stream ended before its first message"));
  } else if (phase_ == Phase::kLive) {
    const absl::Status status = session_->CheckStartIsWhole();
    if (!status.ok()) FinishCall(WithFieldPrefix(status, "start."));
  }
}

void SessionStream::HandleMessage() {
  if (request_.has_control()) {
    submitting_ = true;
    context_.workers.Schedule(
        [self = shared_from_this(), session = session_, attachment = attachment_] {
          self->HandleControl(session, attachment);
        });
  } else if (request_.has_start()) {
    HandleStart();
  } else {
    FinishCall(ProtocolError("after the first message only control and start are expected"));
  }
}

void SessionStream::HandleStart() {
  const absl::Status status =
      session_->PutStart(attachment_, request_.start().data_offset(), request_.start().data());
  if (!status.ok()) return FinishCall(WithFieldPrefix(status, "start."));
  ReadMore();
}

// The next message is read when this one is answered, so controls keep their order.
void SessionStream::HandleControl(const std::shared_ptr<Session>& session, uint64_t attachment) {
  const v1::Control& control = request_.control();
  const auto submit = [&]() -> absl::StatusOr<EventAccepted> {
    LT_ASSIGN_OR_RETURN(SessionEvent event, ParseControl(control));
    return context_.engine.Submit(*session, std::move(event), attachment);
  };
  const absl::StatusOr<EventAccepted> accepted = submit();
  v1::StreamResponse response;
  RenderReceipt(control.id(), accepted, response.mutable_receipt());
  MutexLock lock(mutex_);
  submitting_ = false;
  if (phase_ != Phase::kLive) return;
  if (absl::IsAborted(accepted.status())) return FinishCall(accepted.status());
  queued_.push_back(std::move(response));
  ReadMore();
  Pump();
}

// The status still reaches a client that goes on reading in time.
void SessionStream::EndIfLost() {
  if (phase_ != Phase::kLive || !write_in_flight_) return;
  const absl::Status status = session_->CheckReader(attachment_);
  if (status.ok()) return;
  FinishCall(status);
  last_write_.Set(In(kLastWriteSeconds), [weak = weak_from_this()](bool in_time) {
    const auto stream = weak.lock();
    if (!in_time || stream == nullptr) return;
    MutexLock lock(stream->mutex_);
    if (!stream->done_) stream->call_.TryCancel();
  });
}

void SessionStream::Pump() {
  EndIfLost();
  while (phase_ == Phase::kLive && !write_in_flight_ && !encoding_) {
    if (!queued_.empty()) {
      WriteQueued();
    } else if (media_->HasPart()) {
      WritePart();
    } else if (ending_ && !submitting_) {
      FinishCall(absl::OkStatus());
    } else if (submitting_ || !PollSession()) {
      return;
    }
  }
}

// False when there is nothing for now.
bool SessionStream::PollSession() {
  absl::StatusOr<std::optional<SessionOutput>> polled = session_->Poll(attachment_);
  if (!polled.ok()) {
    FinishCall(polled.status());
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

void SessionStream::Take(std::shared_ptr<const MediaChunk> chunk) {
  encoding_ = true;
  context_.workers.Schedule(
      [self = shared_from_this(), chunk = std::move(chunk)] { self->EncodeChunk(chunk); });
}

void SessionStream::EncodeChunk(std::shared_ptr<const MediaChunk> chunk) {
  const int64_t start_nanos = context_.clock.MonotonicNanos();
  const absl::Status status = media_->Encode(std::move(chunk));
  const int64_t end_nanos = context_.clock.MonotonicNanos();
  context_.metrics.ChunkEncoded(NanosToSeconds(end_nanos - start_nanos));
  MutexLock lock(mutex_);
  encoding_ = false;
  if (phase_ == Phase::kFinished) {
    media_.reset();
    return;
  }
  if (!status.ok()) return FinishCall(EncoderError(status));
  if (last_chunk_nanos_ != 0) {
    context_.metrics.ChunkInterval(NanosToSeconds(end_nanos - last_chunk_nanos_));
  } else if (opened_session_) {
    context_.metrics.FirstFrame(NanosToSeconds(end_nanos - start_nanos_));
  }
  last_chunk_nanos_ = end_nanos;
  Pump();
}

void SessionStream::Take(const SessionEnd& end) {
  if (!end.status.ok()) return FinishCall(end.status);
  RenderSession(session_->Info(), context_.model,
                queued_.emplace_back().mutable_ended()->mutable_session());
  ending_ = true;
}

void SessionStream::WriteQueued() {
  message_ = std::move(queued_.front());
  queued_.pop_front();
  write_in_flight_ = true;
  StartWrite(&message_);
}

void SessionStream::WritePart() {
  message_.Clear();
  media_->NextPart(message_.mutable_chunk());
  write_in_flight_ = true;
  StartWrite(&message_);
}

void SessionStream::LogClosed() {
  std::string session;
  absl::Status end;
  bool asked = false;
  {
    MutexLock lock(mutex_);
    session = session_id_;
    end = end_;
    asked = asked_;
  }
  // Without a first message anybody who can connect may do it as often as he likes, and there is
  // nothing to learn.
  Log(asked ? LogLevel::kInfo : LogLevel::kDebug, "stream closed",
      {{"session", session},
       {"reason", end.ok() ? std::string() : ReasonName(end)},
       {"message", std::string(end.message())}});
}

void SessionStream::FinishCall(const absl::Status& status) {
  if (phase_ == Phase::kFinished) return;
  phase_ = Phase::kFinished;
  end_ = status;
  context_.metrics.CountRpc("Stream", std::string(absl::StatusCodeToString(status.code())));
  if (session_ != nullptr) session_->Detach(attachment_);
  // What was held for the client goes now, not when gRPC is done with the call.
  session_ = nullptr;
  queued_.clear();
  if (!encoding_) media_.reset();
  Finish(ToGrpcStatus(status));
}

}  // namespace longtake
