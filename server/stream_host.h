// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a stream stands between: the call it talks over and the server that makes what it sends.
// Two interfaces, so that the machine between them (stream_machine.h) can be tested without a
// network, a clock or an engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status_macros.h"
#include "engine/session/session.h"
#include "longtake/v1/longtake.pb.h"
#include "server/media_writer.h"

namespace longtake {

// The call. The machine calls it under its lock, so that no method may call the machine back or
// wait. After Finish only WakeIn and Cancel follow, after OnDone nothing.
class StreamWire {
 public:
  virtual ~StreamWire() = default;
  // Asks for the next message: OnRead, OnReadEnd or OnGarbled follows.
  virtual void Read() = 0;
  // Copies the message; OnWritten follows. One at a time.
  virtual void Write(const v1::StreamResponse& message) = 0;
  // Ends the call once what was written is on its way; OnDone follows when nothing else will.
  virtual void Finish(const absl::Status& status) = 0;
  // Ends it at once, for a client that takes nothing.
  virtual void Cancel() = 0;
  // OnTime follows after so long, unless the next WakeIn replaces it.
  virtual void WakeIn(int64_t nanos) = 0;
};

// The session that a stream reads, and how.
struct StreamOpening {
  std::shared_ptr<Session> session;
  uint64_t attachment = 0;
  MediaWriter media;
  bool made = false;  // by this stream; else it was there
};

// The server, for one stream. Any thread.
class StreamHost {
 public:
  virtual ~StreamHost() = default;
  // On another thread: for all that computes.
  virtual void Run(std::function<void()> work) = 0;
  // The same for what comes before there is a session, with the bytes of the request that waits;
  // false, and nothing is done, when too much waits. One at a time; after an Open that was
  // NeedsDisk it may wait for the disk.
  virtual bool RunOpening(uint64_t bytes, std::function<void()> work) = 0;
  virtual int64_t MonotonicNanos() = 0;

  // By its first message a stream's session is made or found, and attached to; wake as in
  // Session::Attach. Errors name the field. Computes.
  virtual absl::StatusOr<StreamOpening> Open(const v1::StreamRequest& first,
                                             std::function<void()> wake) = 0;
  // The client left before it read anything.
  virtual void CloseUnread(const StreamOpening& opening) = 0;
  // done is called once, on any thread, without locks, maybe before Submit returns. Errors as
  // Engine::Submit. Computes.
  virtual void Submit(std::shared_ptr<Session> session, SessionEvent event, uint64_t attachment,
                      SubmitDone done) = 0;
  virtual void Render(const Session& session, v1::Session* out) = 0;

  // What happened, for counters and log.
  virtual void OnAsked() = 0;  // the first message came
  virtual void OnOpened(const SessionInfo& session) = 0;
  virtual void OnEncoded(double seconds) = 0;
  // From the start of the call; only of a session that the stream made.
  virtual void OnFirstChunk(double seconds) = 0;
  // Since the one before.
  virtual void OnNextChunk(double seconds) = 0;
  // The last part of a chunk is written.
  virtual void OnDelivered(int64_t frames, uint64_t bytes) = 0;
  virtual void OnFinished(const absl::Status& status) = 0;
};

}  // namespace longtake
