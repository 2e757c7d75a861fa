// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

Session::Session(std::string id, SessionSpec spec, SessionLimits limits, Clock& clock,
                 std::function<void()> wake_engine, SessionEndObserver on_end)
    : id_(std::move(id)),
      spec_(std::move(spec)),
      limits_(limits),
      clock_(clock),
      wake_engine_(std::move(wake_engine)),
      on_end_(std::move(on_end)),
      create_wall_nanos_(clock.WallNanos()),
      detached_nanos_(clock.MonotonicNanos()) {}

absl::StatusOr<uint64_t> Session::Attach(int64_t next_chunk, std::function<void()> wake) {
  std::function<void()> wake_previous;
  uint64_t attachment = 0;
  {
    MutexLock lock(mutex_);
    if (next_chunk < 0) next_chunk = next_unsent_;
    const int64_t oldest = chunks_.empty() ? next_chunk_ : chunks_.front()->index;
    if (next_chunk < oldest || next_chunk > next_chunk_) {
      return WithReason(
          absl::OutOfRangeError(absl::StrCat("chunk ", next_chunk, " is not held; chunks ", oldest,
                                             " to ", next_chunk_, " can be attached at")),
          {"CHUNK_NOT_HELD",
           {{"session", id_},
            {"oldest_chunk", std::to_string(oldest)},
            {"next_chunk", std::to_string(next_chunk_)}}});
    }
    next_unsent_ = next_chunk;
    unsent_bytes_ = 0;
    for (const auto& chunk : chunks_) {
      if (chunk->index >= next_chunk) unsent_bytes_ += chunk->rgb.size();
    }
    end_sent_ = false;
    wake_previous = std::exchange(wake_reader_, std::move(wake));
    attached_ = true;
    attachment = ++attachment_;
  }
  if (wake_previous) wake_previous();
  wake_engine_();
  return attachment;
}

void Session::Detach(uint64_t attachment) {
  std::function<void()> last_use;  // destroyed after the lock is gone
  {
    MutexLock lock(mutex_);
    if (attachment != attachment_ || !attached_) return;
    attached_ = false;
    detached_nanos_ = clock_.MonotonicNanos();
    last_use = std::exchange(wake_reader_, nullptr);
  }
  wake_engine_();
}

absl::StatusOr<std::optional<SessionOutput>> Session::Poll(uint64_t attachment) {
  std::optional<SessionOutput> output;
  {
    MutexLock lock(mutex_);
    if (attachment != attachment_) {
      return TakenOver();
    }
    // A receipt goes before the chunk it holds for. Who cancelled wants no more chunks.
    const bool chunk_ready = next_unsent_ < next_chunk_ && !cancelled_;
    if (!applied_.empty() && (!chunk_ready || applied_.front().chunk <= next_unsent_)) {
      output = applied_.front();
      applied_.pop_front();
      --open_events_;
    } else if (chunk_ready) {
      const auto& chunk = chunks_[static_cast<size_t>(next_unsent_ - chunks_.front()->index)];
      unsent_bytes_ -= chunk->rgb.size();
      ++next_unsent_;
      output = chunk;
    } else if (ended_ && !end_sent_) {
      end_sent_ = true;
      output = SessionEnd{end_status_};
    }
  }
  if (output.has_value()) wake_engine_();
  return output;
}

absl::StatusOr<uint64_t> Session::Submit(SessionEvent event, std::vector<int32_t> prompt_ids) {
  uint64_t sequence = 0;
  {
    MutexLock lock(mutex_);
    if (ended_) {
      return WithReason(absl::FailedPreconditionError(absl::StrCat("session ", id_, " has ended")),
                        {"SESSION_OVER", {{"session", id_}}});
    }
    if (open_events_ >= limits_.inbox_events_max) {
      return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                            "session ", id_, " has ", open_events_,
                            " events waiting; the limit is ", limits_.inbox_events_max)),
                        {"EVENTS_WAITING", {{"session", id_}}});
    }
    sequence = next_sequence_++;
    ++open_events_;
    inbox_.push_back({sequence, std::move(event), std::move(prompt_ids)});
  }
  wake_engine_();
  return sequence;
}

absl::Status Session::TakenOver() const {
  return WithReason(
      absl::AbortedError(absl::StrCat("session ", id_, " was attached by another client")),
      {"TAKEN_OVER", {{"session", id_}}});
}

absl::Status Session::PutStart(uint64_t attachment, int64_t offset, std::string_view bytes) {
  const auto expected = static_cast<size_t>(spec_.start_frames * spec_.width * spec_.height * 3);
  {
    MutexLock lock(mutex_);
    if (attachment != attachment_) return TakenOver();
    if (ended_) return absl::OkStatus();
    if (expected == 0) return absl::InvalidArgumentError("data: this session begins with noise");
    if (start_taken_ || bytes.size() > expected - start_.size()) {
      return absl::InvalidArgumentError(absl::StrCat("data: more than the ", expected, " bytes of ",
                                                     spec_.start_frames, " frames"));
    }
    if (offset != static_cast<int64_t>(start_.size())) {
      return absl::InvalidArgumentError(
          absl::StrCat("data_offset: ", offset, "; the next byte is number ", start_.size()));
    }
    if (start_.empty()) start_.reserve(expected);  // counted when the session was admitted
    start_.insert(start_.end(), bytes.begin(), bytes.end());
    if (start_.size() < expected) return absl::OkStatus();
  }
  wake_engine_();
  return absl::OkStatus();
}

std::optional<std::vector<uint8_t>> Session::TakeStart() {
  const auto expected = static_cast<size_t>(spec_.start_frames * spec_.width * spec_.height * 3);
  MutexLock lock(mutex_);
  if (start_taken_ || start_.size() < expected) return std::nullopt;
  start_taken_ = true;
  return std::move(start_);
}

void Session::Cancel(absl::Status why) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    std::vector<uint8_t>().swap(start_);
    // A reader of a session that had ended well must not take what it has for everything.
    if (ended_ && end_status_.ok()) end_status_ = why;
    wake = wake_reader_;
  }
  PutEnd(std::move(why));
  if (wake) wake();
  wake_engine_();
}

SessionInfo Session::Info() const {
  MutexLock lock(mutex_);
  SessionInfo info;
  info.id = id_;
  info.spec = spec_;
  info.state = state_;
  info.failure = end_status_;
  info.create_wall_nanos = create_wall_nanos_;
  info.chunk_count = next_chunk_;
  info.frame_count = frame_count_;
  const auto start_bytes =
      static_cast<uint64_t>(spec_.start_frames * spec_.width * spec_.height * 3);
  info.start_bytes = start_taken_ ? start_bytes : start_.size();
  info.oldest_chunk_held = chunks_.empty() ? next_chunk_ : chunks_.front()->index;
  info.next_chunk = next_unsent_;
  info.outbox_bytes = held_bytes_;
  info.attached = attached_;
  if (!attached_) {
    const int64_t age_nanos = clock_.MonotonicNanos() - detached_nanos_;
    info.expire_wall_nanos = clock_.WallNanos() + LifeNanos() - age_nanos;
  }
  return info;
}

std::vector<AcceptedEvent> Session::TakeEvents() {
  MutexLock lock(mutex_);
  return std::exchange(inbox_, {});
}

bool Session::HasRoom(uint64_t chunk_bytes, uint64_t in_flight_bytes) const {
  MutexLock lock(mutex_);
  if (unsent_bytes_ + in_flight_bytes == 0) return true;
  return unsent_bytes_ + in_flight_bytes + chunk_bytes <= limits_.outbox_bytes_max;
}

void Session::PutChunk(std::shared_ptr<const MediaChunk> chunk) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    // A chunk that was already in the decode lane when its session failed or was deleted.
    if (ended_) return;
    LT_CHECK(chunk->index == next_chunk_);
    held_bytes_ += chunk->rgb.size();
    unsent_bytes_ += chunk->rgb.size();
    frame_count_ = chunk->first_frame + chunk->frame_count;
    chunks_.push_back(std::move(chunk));
    ++next_chunk_;
    Evict();
    wake = wake_reader_;
  }
  if (wake) wake();
}

// Chunks that were sent stay for a reader that comes back, as long as the bytes allow.
void Session::Evict() {
  while (held_bytes_ > limits_.outbox_bytes_max && chunks_.front()->index < next_unsent_) {
    held_bytes_ -= chunks_.front()->rgb.size();
    chunks_.pop_front();
  }
}

void Session::PutApplied(EventApplied applied) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    LT_CHECK(applied_.size() < open_events_);
    applied_.push_back(applied);
    wake = wake_reader_;
  }
  if (wake) wake();
}

void Session::PutEnd(absl::Status status) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    state_ =
        status.ok() || absl::IsCancelled(status) ? SessionState::kEnded : SessionState::kFailed;
    end_status_ = status;
    for (const AcceptedEvent& event : inbox_) applied_.push_back({event.sequence, next_chunk_});
    inbox_.clear();
    wake = wake_reader_;
  }
  if (wake) wake();
  if (on_end_) on_end_(id_, status);
}

void Session::SetState(SessionState state) {
  MutexLock lock(mutex_);
  if (!ended_) state_ = state;
}

bool Session::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_;
}

bool Session::Expired() const {
  MutexLock lock(mutex_);
  return !attached_ && clock_.MonotonicNanos() - detached_nanos_ >= LifeNanos();
}

int64_t Session::LifeNanos() const {
  return attachment_ == 0 ? std::max(spec_.ttl_nanos, limits_.first_attach_nanos) : spec_.ttl_nanos;
}

}  // namespace longtake
