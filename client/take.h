// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One take as a client sees it: open or attach, receive chunks into a sink, ask for prompt changes
// at their times, show how it goes. Blocks until the session ends, the user stops it, or an error.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "client/connection.h"

namespace longtake {

// From this second of the video on, show this.
struct PromptChange {
  double second = 0.0;
  std::string prompt;
};

struct TakeRequest {
  v1::StreamRequest first;  // open or attach
  std::string output;       // as OpenVideoSink reads it
  std::vector<PromptChange> changes;
  std::vector<uint8_t> start_frames;  // RGB of what the spec says the take begins with
  bool quiet = false;                 // no word of progress
};

struct TakeReport {
  std::string session;  // "sessions/ID"
  int64_t frames = 0;
  int64_t chunks = 0;
  double first_frame_seconds = 0.0;
  double seconds = 0.0;
  std::string chain_digest;  // hexadecimal, of the last chunk
};

// stop may be set by a signal handler: the session is then ended after its current chunk and the
// output is complete up to there.
absl::StatusOr<TakeReport> RunTake(v1::LongtakeService::Stub& stub, const TakeRequest& request,
                                   const std::atomic<bool>& stop);

}  // namespace longtake
