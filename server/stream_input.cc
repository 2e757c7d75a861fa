// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a stream's client says after its first message: start frames and controls.
#include <utility>

#include "server/convert.h"
#include "server/errors.h"
#include "server/render.h"
#include "server/stream_machine.h"

namespace longtake {

// What comes after the first message.
void StreamMachine::HandleLater(v1::StreamRequest message) {
  if (message.has_start()) {
    return host_->Run(
        [self = shared_from_this(), session = session_, attachment = attachment_,
         message = std::move(message)] { self->PutStart(session, attachment, message.start()); });
  }
  if (!message.has_control()) {
    return Finish(ProtocolError("after the first message only control and start are expected"));
  }
  submitting_ = true;
  host_->Run(
      [self = shared_from_this(), session = session_, attachment = attachment_,
       message = std::move(message)] { self->Submit(session, attachment, message.control()); });
}

// The next part is read when this one is recorded, so no more than one of a stream waits for that.
void StreamMachine::PutStart(const std::shared_ptr<Session>& session, uint64_t attachment,
                             const v1::StartPart& start) {
  const absl::Status status =
      session->PutStart(attachment, start.data_offset(), start.data(),
                        [self = shared_from_this(), session](const absl::Status& recorded) {
                          self->host_->Run([self, recorded] { self->OnStartPut(recorded); });
                        });
  if (!status.ok()) OnStartPut(status);
}

void StreamMachine::OnStartPut(const absl::Status& status) {
  MutexLock lock(mutex_);
  if (phase_ != Phase::kLive) return;
  if (!status.ok()) return Finish(WithFieldPrefix(status, "start."));
  ReadMore();
  Pump();
}

// The next message is read when this one is answered, so controls keep their order.
void StreamMachine::Submit(const std::shared_ptr<Session>& session, uint64_t attachment,
                           const v1::Control& control) {
  absl::StatusOr<SessionEvent> event = ParseControl(control);
  if (!event.ok()) return OnAnswered(control.id(), event.status());
  host_->Submit(
      session, *std::move(event), attachment,
      [self = shared_from_this(), id = control.id()](const absl::StatusOr<EventAccepted>& answer) {
        // On a thread of whoever records, which has other things to do.
        self->host_->Run([self, id, answer] { self->OnAnswered(id, answer); });
      });
}

void StreamMachine::OnAnswered(uint64_t control_id, const absl::StatusOr<EventAccepted>& answer) {
  v1::StreamResponse response;
  RenderReceipt(control_id, answer, response.mutable_receipt());
  MutexLock lock(mutex_);
  submitting_ = false;
  // After Ended nothing follows.
  if (phase_ != Phase::kLive || ending_) return Pump();
  if (absl::IsAborted(answer.status())) return Finish(answer.status());
  queued_.push_back(std::move(response));
  ReadMore();
  Pump();
}

}  // namespace longtake
