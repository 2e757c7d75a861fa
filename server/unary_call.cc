// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/unary_call.h"

#include <grpc/support/time.h>
#include <grpcpp/server_context.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "server/errors.h"
#include "server/grpc_status.h"
#include "server/limits.h"

namespace longtake {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

UnaryCall* UnaryCall::Start(ServiceContext& context, const Method& method,
                            grpc::CallbackServerContext& call) {
  auto started = std::make_shared<UnaryCall>(context, method, call);
  started->self_ = started;
  started->StartRead(&started->request_);
  started->After(started->request_alarm_, kFirstMessageSeconds * kNanosPerSecond,
                 &UnaryCall::GiveUpRequest);
  return started.get();
}

UnaryCall::UnaryCall(ServiceContext& context, const Method& method,
                     grpc::CallbackServerContext& call)
    : context_(context),
      method_(method),
      call_(call),
      connection_(context.connections.Find(call.peer())),
      caller_{.peer = PeerOf(*connection_, call.peer()), .may_wait = false} {}

void UnaryCall::After(grpc::Alarm& alarm, int64_t nanos, void (UnaryCall::*act)()) {
  alarm.Set(gpr_time_from_nanos(nanos, GPR_TIMESPAN), [weak = weak_from_this(), act](bool in_time) {
    const auto call = weak.lock();
    if (!in_time || call == nullptr) return;
    MutexLock lock(call->mutex_);
    (call.get()->*act)();
  });
}

void UnaryCall::GiveUpRequest() {
  if (phase_ == Phase::kWaiting) FinishCall(LateError(kFirstMessageSeconds));
}

void UnaryCall::GiveUpAnswer() {
  if (!done_) call_.TryCancel();
}

void UnaryCall::OnReadDone(bool ok) {
  {
    MutexLock lock(mutex_);
    if (phase_ != Phase::kWaiting) return;
    if (!ok) return FinishUnasked();
    connection_->CountMessage(request_.Length());
    if (static_cast<int64_t>(request_.Length()) > method_.request_bytes_max) {
      return FinishCall(
          FieldError("request", absl::StrCat("more than ", method_.request_bytes_max, " bytes")));
    }
    phase_ = Phase::kWorking;
    caller_.asks_until_nanos = context_.clock.MonotonicNanos() + kRoomNanos;
    if (method_.computes) return RunAnswer();
  }
  Answer();
}

void UnaryCall::RunAnswer() {
  CallQueue& queue = caller_.may_wait ? context_.store_calls : context_.calls;
  const bool has_turn =
      queue.Run(request_.Length(), [self = shared_from_this()] { self->Answer(); });
  if (!has_turn) FinishCall(BusyError());
}

void UnaryCall::OnCancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
}

void UnaryCall::Answer() {
  Caller caller;
  {
    MutexLock lock(mutex_);
    if (cancelled_) return FinishCall(absl::CancelledError("the client went away"));
    caller = caller_;
  }
  grpc::ByteBuffer request = request_;  // it may be needed again
  method_.work(caller, &request,
               [self = shared_from_this()](const absl::StatusOr<grpc::ByteBuffer>& answer) {
                 MutexLock lock(self->mutex_);
                 self->FinishOrAskAgain(answer);
               });
}

void UnaryCall::FinishOrAskAgain(const absl::StatusOr<grpc::ByteBuffer>& answer) {
  if (IsNeedsDisk(answer.status())) {
    caller_.may_wait = true;
    return RunAnswer();
  }
  if (!IsMakingRoom(answer.status())) return FinishCall(answer);
  room_alarm_.emplace();
  After(*room_alarm_, kRoomLookNanos, &UnaryCall::RunAnswer);
}

void UnaryCall::FinishCall(const absl::StatusOr<grpc::ByteBuffer>& answer) {
  phase_ = Phase::kFinished;
  context_.metrics.CountRpc(method_.id, answer.status().code());
  if (!answer.ok()) return Finish(ToGrpcStatus(answer.status()));
  response_ = *answer;
  StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  After(answer_alarm_, kAnswerSeconds * kNanosPerSecond, &UnaryCall::GiveUpAnswer);
}

// Of a client that says no more, or that is gone: the library tells both alike.
void UnaryCall::FinishUnasked() {
  phase_ = Phase::kFinished;
  unasked_ = true;
  Finish(ToGrpcStatus(ProtocolError("the call ended without a request")));
}

void UnaryCall::OnDone() {
  {
    MutexLock lock(mutex_);
    done_ = true;
    if (unasked_) {
      context_.metrics.CountRpc(method_.id, cancelled_ ? absl::StatusCode::kCancelled
                                                       : absl::StatusCode::kInvalidArgument);
    }
  }
  room_alarm_.reset();
  request_alarm_.Cancel();
  answer_alarm_.Cancel();
  // Maybe the last owner: nothing may follow.
  const std::shared_ptr<UnaryCall> last = std::move(self_);
}

}  // namespace longtake
