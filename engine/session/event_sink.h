// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where events are recorded before they are accepted. An event passes three steps: it gets a
// number, it is recorded here under that number, and it is accepted: only now its receipt goes out
// and the engine may take it. So nothing is promised to a client that a restart could forget.
//
// What was recorded is accepted, even when the session ended meanwhile. What could not be recorded
// is refused with the error of the record, and its number stays unused.
//
// The frames that a take begins with come the same way: they count as arrived once they are
// recorded.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status_macros.h"
#include "engine/session/session_event.h"

namespace longtake {

// A session, and which of its lives: one that comes back from a store lives anew, and what is left
// of the life before must not be written down any more.
struct SessionKey {
  std::string id;
  uint64_t life = 0;
};

class EventSink {
 public:
  // OK when the event is recorded, otherwise why it is not; and whether it will survive a crash.
  using Recorded = std::function<void(const absl::Status& result, bool durable)>;

  virtual ~EventSink() = default;
  // Records an event of this session. recorded must be called exactly once, on any thread, without
  // locks that Record needs; also before Record returns, until when both references hold.
  //
  // Called on the threads of those who submit, at once by several; the numbers of one session may
  // therefore come out of order, and so may the answers: a session accepts by rising numbers.
  virtual void Record(const SessionKey& session, const AcceptedEvent& event, Recorded recorded) = 0;
  // The same of a part of the frames it begins with, from this byte on.
  virtual void RecordStart(const SessionKey& session, int64_t offset, std::string_view bytes,
                           Recorded recorded) = 0;
};

// Records nothing: an event that has its number is accepted at once.
class NoRecords final : public EventSink {
 public:
  void Record(const SessionKey& /*session*/, const AcceptedEvent& /*event*/,
              Recorded recorded) override {
    recorded(absl::OkStatus(), /*durable=*/false);
  }
  void RecordStart(const SessionKey& /*session*/, int64_t /*offset*/, std::string_view /*bytes*/,
                   Recorded recorded) override {
    recorded(absl::OkStatus(), /*durable=*/false);
  }
  // It has no state, so one serves all.
  static EventSink& Get() {
    static NoRecords sink;
    return sink;
  }
};

}  // namespace longtake
