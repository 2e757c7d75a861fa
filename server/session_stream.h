// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A Stream call over gRPC: messages to and from bytes, reactions to calls of its StreamMachine,
// which decides everything.
//
// Threads: gRPC's. Starting an operation under the machine's lock is safe: gRPC never runs a
// reaction inside StartRead, StartWrite or Finish of another thread's call stack. Ownership: gRPC
// knows the reactor until OnDone, and until then it owns itself.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>

#include "server/server_stream_host.h"
#include "server/stream_machine.h"

namespace longtake {

class SessionStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                            public StreamWire {
 public:
  // The reactor for gRPC; it frees itself.
  static SessionStream* Start(ServiceContext& context, grpc::CallbackServerContext& call);
  SessionStream(ServiceContext& context, grpc::CallbackServerContext& call);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override { machine_->OnWritten(ok); }
  void OnCancel() override { machine_->OnCancelled(); }
  void OnDone() override;

  void Read() override { StartRead(&request_); }
  void Write(const v1::StreamResponse& message) override;
  void Finish(const absl::Status& status) override;
  void Cancel() override { call_.TryCancel(); }
  void WakeIn(int64_t nanos) override;

 private:
  grpc::CallbackServerContext& call_;  // until OnDone
  std::shared_ptr<SessionStream> self_;
  const std::shared_ptr<ConnectionUse> connection_;
  const std::shared_ptr<ServerStreamHost> host_;
  const std::shared_ptr<StreamMachine> machine_;
  grpc::ByteBuffer request_;   // gRPC's between Read and OnReadDone
  grpc::ByteBuffer response_;  // gRPC's between Write and OnWriteDone
  std::optional<grpc::Alarm> alarm_;
};

}  // namespace longtake
