// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stream's two neighbours for tests: a call that records what it is told and a server whose
// sessions are filled by hand.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/errors.h"
#include "server/render.h"
#include "server/stream_host.h"

namespace longtake {

// Raw frames of 16x16, three of them a chunk.
inline constexpr int64_t kTestFrameBytes = 16 * 16 * 3;
inline constexpr int64_t kTestChunkFrames = 3;

inline ResolvedSpec ScriptedSpec(int64_t start_frames = 0) {
  ResolvedSpec spec;
  spec.width = 16;
  spec.height = 16;
  spec.fps = 16;
  spec.media_kind = MediaKind::kRgb24;
  spec.start_frames = start_frames;
  spec.ttl_nanos = int64_t{60} * 1'000'000'000;
  return spec;
}

inline std::shared_ptr<MediaChunk> ScriptedChunk(int64_t index) {
  auto chunk = std::make_shared<MediaChunk>();
  chunk->index = index;
  chunk->first_frame = index * kTestChunkFrames;
  chunk->frame_count = kTestChunkFrames;
  chunk->width = 16;
  chunk->height = 16;
  chunk->rgb.assign(kTestChunkFrames * kTestFrameBytes, static_cast<uint8_t>(index));
  return chunk;
}

inline std::shared_ptr<Session> ScriptedSession(Clock& clock, const ResolvedSpec& spec,
                                                SessionLimits limits = {},
                                                EventSink& sink = NoRecords::Get()) {
  return std::make_shared<Session>(
      SessionKey{"s"}, spec, limits, SessionReservations{}, clock, [] {}, nullptr, sink);
}

class ScriptedWire final : public StreamWire {
 public:
  void Read() override {
    EXPECT_FALSE(finished() || reading) << "one read at a time, none after the end";
    reading = true;
  }
  void Write(const v1::StreamResponse& message) override {
    EXPECT_FALSE(finished() || writing) << "one write at a time, none after the end";
    writing = true;
    written.push_back(message);
  }
  void Finish(const absl::Status& end) override {
    EXPECT_FALSE(finished()) << "a call ends once";
    status = end;
  }
  void Cancel() override { cancelled = true; }
  void WakeIn(int64_t nanos) override { wake_nanos = nanos; }

  bool finished() const { return status.has_value(); }

  bool reading = false;
  bool writing = false;
  bool cancelled = false;
  int64_t wake_nanos = 0;
  std::optional<absl::Status> status;
  std::vector<v1::StreamResponse> written;
};

// Its tasks wait until the test runs them.
class ScriptedHost : public StreamHost {
 public:
  void Run(std::function<void()> work) override { tasks.push_back(std::move(work)); }
  bool RunOpening(uint64_t, std::function<void()> work) override {
    if (busy) return false;
    Run(std::move(work));
    return true;
  }
  int64_t MonotonicNanos() override { return clock.MonotonicNanos(); }

  absl::StatusOr<StreamOpening> Open(const v1::StreamRequest&,
                                     std::function<void()> wake) override {
    ++opened;
    if (while_opening) while_opening();
    if (!open_error.ok()) return open_error;
    LT_ASSIGN_OR_RETURN(MediaWriter media, MediaWriter::Create(session->spec(), formats));
    LT_ASSIGN_OR_RETURN(const uint64_t attachment, session->Attach(-1, std::move(wake)));
    return StreamOpening{
        .session = session, .attachment = attachment, .media = std::move(media), .made = true};
  }
  void CloseUnread(const StreamOpening& opening) override {
    closed_unread = true;
    opening.session->Detach(opening.attachment);
  }
  void Submit(std::shared_ptr<Session> of, SessionEvent event, uint64_t attachment,
              SubmitDone done) override {
    if (answers_later) {
      answer_ = [of, event, attachment, done] { of->Submit(event, {}, attachment, done); };
    } else {
      of->Submit(std::move(event), {}, attachment, std::move(done));
    }
  }
  // Of the control that waits for it.
  void Answer() { std::exchange(answer_, nullptr)(); }
  void Render(const Session& of, v1::Session* out) override {
    RenderSession(of.Info(), ModelIdentity{}, out);
  }
  void OnAsked() override { ++asked; }
  void OnOpened(const SessionInfo&) override {}
  void OnEncoded(double) override {}
  void OnFirstChunk(double seconds) override { first_chunk_seconds = seconds; }
  void OnNextChunk(double) override { ++later_chunks; }
  void OnDelivered(int64_t frames, uint64_t bytes) override {
    delivered_frames += frames;
    delivered_bytes += bytes;
  }
  void OnFinished(const absl::Status& status) override {
    ++finished;
    finished_code = status.code();
  }

  void RunTasks() {
    while (!tasks.empty()) {
      const std::function<void()> task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }

  ManualClock clock;
  MediaFormats formats;
  std::deque<std::function<void()>> tasks;
  std::shared_ptr<Session> session = ScriptedSession(clock, ScriptedSpec());
  absl::Status open_error;
  bool closed_unread = false;
  bool busy = false;
  bool answers_later = false;
  std::function<void()> while_opening;
  int opened = 0;
  int asked = 0;
  int finished = 0;
  absl::StatusCode finished_code = absl::StatusCode::kOk;
  int later_chunks = 0;
  double first_chunk_seconds = 0;
  int64_t delivered_frames = 0;
  uint64_t delivered_bytes = 0;

 private:
  std::function<void()> answer_;
};

}  // namespace longtake
