// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a stream of a running server stands on: engine, workers, counters and log, for one caller.
// Any thread; the context outlives it.
#pragma once

#include <functional>
#include <string>

#include "server/service_context.h"
#include "server/stream_host.h"
#include "server/stream_machine.h"

namespace longtake {

class ServerStreamHost final : public StreamHost {
 public:
  // Counts the stream as open, until OnClosed.
  ServerStreamHost(ServiceContext& context, Caller caller);
  void OnClosed(const StreamMachine::Report& report);

  void Run(std::function<void()> work) override;
  bool RunOpening(uint64_t bytes, std::function<void()> work) override;
  int64_t MonotonicNanos() override;
  absl::StatusOr<StreamOpening> Open(const v1::StreamRequest& first,
                                     std::function<void()> wake) override;
  void CloseUnread(const StreamOpening& opening) override;
  void Submit(std::shared_ptr<Session> session, SessionEvent event, uint64_t attachment,
              SubmitDone done) override;
  void Render(const Session& session, v1::Session* out) override;

  void OnAsked() override;
  void OnOpened(const SessionInfo& session) override;
  void OnEncoded(double seconds) override;
  void OnFirstChunk(double seconds) override;
  void OnNextChunk(double seconds) override;
  void OnDelivered(int64_t frames, uint64_t bytes) override;
  void OnFinished(const absl::Status& status) override;

 private:
  ServiceContext& context_;
  Caller caller_;
};

}  // namespace longtake
