// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/session_stream.h"

#include <grpc/support/time.h>

#include <utility>

#include "server/grpc_status.h"
#include "server/raw_message.h"

namespace longtake {

SessionStream* SessionStream::Start(ServiceContext& context, grpc::CallbackServerContext& call) {
  auto stream = std::make_shared<SessionStream>(context, call);
  stream->self_ = stream;
  stream->machine_->Start();
  return stream.get();
}

SessionStream::SessionStream(ServiceContext& context, grpc::CallbackServerContext& call)
    : call_(call),
      connection_(context.connections.Find(call.peer())),
      host_(std::make_shared<ServerStreamHost>(context,
                                               Caller{.peer = PeerOf(*connection_, call.peer())})),
      machine_(std::make_shared<StreamMachine>(*this, host_)) {}

void SessionStream::OnReadDone(bool ok) {
  if (!ok) return machine_->OnReadEnd();
  connection_->CountMessage(request_.Length());
  v1::StreamRequest message;
  if (!ParseMessage(&request_, &message)) return machine_->OnGarbled();
  machine_->OnRead(std::move(message));
}

void SessionStream::OnDone() {
  machine_->OnDone();
  alarm_.reset();
  host_->OnClosed(machine_->report());
  // Maybe the last owner: nothing may follow.
  const std::shared_ptr<SessionStream> last = std::move(self_);
}

void SessionStream::Write(const v1::StreamResponse& message) {
  response_ = RenderMessage(message);
  StartWrite(&response_);
}

void SessionStream::Finish(const absl::Status& status) {
  ServerBidiReactor::Finish(ToGrpcStatus(status));
}

void SessionStream::WakeIn(int64_t nanos) {
  alarm_.emplace();
  alarm_->Set(gpr_time_from_nanos(nanos, GPR_TIMESPAN),
              [weak = std::weak_ptr<StreamMachine>(machine_)](bool in_time) {
                const auto machine = weak.lock();
                if (in_time && machine != nullptr) machine->OnTime();
              });
}

}  // namespace longtake
