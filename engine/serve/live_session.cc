// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/live_session.h"

#include <algorithm>

namespace longtake {

PendingEvent* LiveSession::next_prompt() {
  const auto last = std::find_if(events.rbegin(), events.rend(),
                                 [](const PendingEvent& event) { return event.is_prompt(); });
  return last == events.rend() ? nullptr : &*last;
}

void FailSession(LiveSession& live, const absl::Status& status, StatsBoard& board) {
  live.failure = status;
  live.ending = true;
  board.Update([](EngineStats& stats) { ++stats.sessions_failed; });
}

}  // namespace longtake
