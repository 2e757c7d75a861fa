// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One take as a client sees it: open or attach, receive chunks into a sink, ask for prompt changes
// in time, show how it goes. Blocks until the session ends, the user stops it, or an error.
//
// When the server or the way to it goes and the session survives that, the take waits and goes on,
// and nobody can tell by its video.
//
// A session that nobody can want any more is deleted: after its end, after an error of this side (a
// full disk, a player that was closed) and at interrupts. One that the server keeps on disk is only
// parked at its end. After an error of the server or the network it stays, for whoever attaches
// again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "client/connection.h"
#include "client/video_sink.h"

namespace longtake {

// From this time of the video on, show this.
struct TimedPrompt {
  int64_t nanos = 0;
  std::string prompt;
};

struct TakeRequest {
  v1::StreamRequest first;            // attach, or open with a session_id
  std::string output;                 // its name, for messages
  std::vector<TimedPrompt> changes;   // by rising times; of an open they are in its spec, too
  std::vector<uint8_t> start_frames;  // RGB of what the spec says the take begins with
  bool quiet = false;                 // no word of progress
  bool keep = false;                  // the session is never deleted, nor parked
  int64_t reconnect_nanos = 0;        // how long a server is waited for that went away; 0: not
  // What first attaches to: a copy of a session that is made for this take and goes with it,
  // however it ends.
  std::optional<v1::ForkSessionRequest> fork = {};
};

struct TakeReport {
  std::string session;  // "sessions/ID"
  int64_t frames = 0;
  int64_t chunks = 0;
  double first_frame_seconds = 0.0;
  double seconds = 0.0;
  std::string chain_digest;  // hexadecimal, of the last chunk
};

// SIGINT and SIGTERM are heard meanwhile. The first ends the session after its current chunk, or
// the wait for a server: the output is complete up to there. The second ends the program.
absl::StatusOr<TakeReport> RunTake(v1::LongtakeService::Stub& stub, const TakeRequest& request,
                                   VideoSink& sink);

}  // namespace longtake
