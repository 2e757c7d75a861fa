// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/server_stream_host.h"

#include <utility>

#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "server/errors.h"
#include "server/log.h"
#include "server/stream_opening.h"

namespace longtake {

ServerStreamHost::ServerStreamHost(ServiceContext& context, Caller caller)
    : context_(context), caller_(std::move(caller)) {
  caller_.may_wait = false;
  context_.metrics.StreamOpened();
}

void ServerStreamHost::OnClosed(const StreamMachine::Report& report) {
  const absl::Status& status = report.status;
  // Without a first message anybody who can connect may do it as often as he likes, and there is
  // nothing to learn.
  Log(report.asked ? LogLevel::kInfo : LogLevel::kDebug, "stream closed",
      {{"session", report.session_id},
       {"reason", status.ok() ? std::string() : ReasonName(status)},
       {"message", std::string(status.message())}});
  if (report.asked) --context_.streams;
  context_.metrics.StreamClosed();
}

void ServerStreamHost::Run(std::function<void()> work) {
  context_.workers.Schedule(std::move(work));
}

bool ServerStreamHost::RunOpening(uint64_t bytes, std::function<void()> work) {
  CallQueue& queue = caller_.may_wait ? context_.store_calls : context_.calls;
  return queue.Run(bytes, std::move(work));
}

int64_t ServerStreamHost::MonotonicNanos() { return context_.clock.MonotonicNanos(); }

absl::StatusOr<StreamOpening> ServerStreamHost::Open(const v1::StreamRequest& first,
                                                     std::function<void()> wake) {
  absl::StatusOr<StreamOpening> opening = OpenStream(context_, first, caller_, std::move(wake));
  caller_.may_wait |= IsNeedsDisk(opening.status());
  return opening;
}

void ServerStreamHost::CloseUnread(const StreamOpening& opening) {
  longtake::CloseUnread(context_, opening);
}

void ServerStreamHost::Submit(std::shared_ptr<Session> session, SessionEvent event,
                              uint64_t attachment, SubmitDone done) {
  context_.engine.Submit(std::move(session), std::move(event), attachment, std::move(done));
}

void ServerStreamHost::Render(const Session& session, v1::Session* out) {
  RenderSession(context_.engine.InfoOf(session), context_.model, out);
}

void ServerStreamHost::OnAsked() {
  ++context_.streams;
  caller_.asks_until_nanos = context_.clock.MonotonicNanos() + kRoomNanos;
}

void ServerStreamHost::OnOpened(const SessionInfo& session) {
  Log(LogLevel::kInfo, "stream opened",
      {{"session", session.id}, {"next_chunk", session.next_chunk}});
}

void ServerStreamHost::OnEncoded(double seconds) { context_.metrics.ChunkEncoded(seconds); }

void ServerStreamHost::OnFirstChunk(double seconds) { context_.metrics.FirstFrame(seconds); }

void ServerStreamHost::OnNextChunk(double seconds) { context_.metrics.ChunkInterval(seconds); }

void ServerStreamHost::OnDelivered(int64_t frames, uint64_t bytes) {
  context_.metrics.ChunkDelivered(frames, bytes);
}

void ServerStreamHost::OnFinished(const absl::Status& status) {
  context_.metrics.CountRpc(RpcMethod::kStream, status.code());
}

}  // namespace longtake
