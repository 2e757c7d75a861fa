// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long a session lives, what it waits for, and how it ends.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/session/session.h"

namespace longtake {

absl::Status Session::CheckLife() const {
  MutexLock lock(mutex_);
  const int64_t now_nanos = clock_.MonotonicNanos();
  const std::optional<int64_t> start_due_nanos = StartDueNanos();
  if (start_due_nanos.has_value() && now_nanos >= *start_due_nanos) return StartLate();
  if (!attachment_.attached()) {
    if (attachment_.NanosAlone(now_nanos) < LifeNanos()) return absl::OkStatus();
    return Error(Reason::kSessionExpired, "nobody attached within the session's ttl",
                 {{"session", key_.id}});
  }
  const int64_t idle_nanos = limits_.attached_idle_nanos;
  if (idle_nanos == 0 || attachment_.NanosSilent(now_nanos) < idle_nanos || !WaitsForClient()) {
    return absl::OkStatus();
  }
  return Error(Reason::kClientIdle,
               absl::StrCat("the session waited ", NanosToSeconds(idle_nanos),
                            " s for its client, which sent and took nothing "
                            "(attached-idle-timeout)"),
               {{"session", key_.id}});
}

bool Session::AwaitsStart() const { return !ended_ && !start_.is_whole(spec_); }

// Nothing while the client waits: what it sent is being recorded, and only then more is read.
std::optional<int64_t> Session::StartDueNanos() const {
  if (!AwaitsStart()) return std::nullopt;
  return start_pace_.DueNanos(static_cast<int64_t>(start_.size()), limits_);
}

absl::Status Session::StartLate() const {
  return Error(
      Reason::kStartLate,
      absl::StrCat("start frames: ", start_.size(), " of ", spec_.start_bytes(), " bytes came; ",
                   NanosToSeconds(limits_.start_wait_nanos), " s without one, or as far behind ",
                   limits_.start_bytes_per_second_min, " bytes a second, is too late"),
      {{"session", key_.id}});
}

bool Session::WaitsForDisk() const {
  if (!records_.empty() || start_.is_recording() || applied_expected_ > 0) return true;
  return outbox_.ready() && outbox_.next_unsent() >= released_;
}

void Session::HearDisk() {
  if (WaitsForDisk()) attachment_.Hear(clock_.MonotonicNanos());
}

void Session::GoOnWithPace() {
  if (records_.empty() && !start_.is_recording()) start_pace_.Go(clock_.MonotonicNanos());
}

bool Session::WaitsForClient() const {
  if (WaitsForDisk()) return false;
  if (ended_) return true;  // to take the rest, or to leave
  if (AwaitsStart()) return true;
  return state_ == SessionState::kPaused || state_ == SessionState::kBlocked;
}

int64_t Session::LifeNanos() const {
  return attachment_.had_reader() ? spec_.ttl_nanos : limits_.first_attach_nanos;
}

int64_t Session::NanosAlone() const {
  MutexLock lock(mutex_);
  return attachment_.NanosAlone(clock_.MonotonicNanos());
}

SavedAttachment Session::SaveAttachment() const {
  MutexLock lock(mutex_);
  return attachment_.Save(clock_.MonotonicNanos(), clock_.WallNanos());
}

void Session::Cancel(absl::Status why) {
  bool is_first = false;
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    start_.Clear();
    memory_.start.Return();
    outbox_.Clear();
    memory_.outbox.Shrink(0);
    // A reader of a session that had ended well must not take what it has for everything.
    if (ended_ && end_status_.ok()) end_status_ = why;
    is_first = End(why);
    wake = attachment_.wake();
  }
  if (is_first) {
    TellEnd(why);
  } else if (wake) {
    wake();
  }
  wake_engine_();
}

void Session::PutEnd(absl::Status status) {
  {
    MutexLock lock(mutex_);
    if (!End(status)) return;
  }
  TellEnd(status);
}

bool Session::End(const absl::Status& status) {
  if (ended_) return false;
  ended_ = true;
  state_ = status.ok() || absl::IsCancelled(status) ? SessionState::kEnded : SessionState::kFailed;
  end_status_ = status;
  CloseInbox();
  memory_.outbox.Shrink(outbox_.held_bytes());  // nothing is added to it any more
  return true;
}

// Who writes the end down hears of it before the reader.
void Session::TellEnd(const absl::Status& status) {
  if (on_end_) on_end_(key_.id, status);
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    end_told_ = true;
    wake = attachment_.wake();
  }
  if (wake) wake();
}

bool Session::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_;
}

bool Session::ended() const {
  MutexLock lock(mutex_);
  return ended_;
}

absl::Status Session::end_status() const {
  MutexLock lock(mutex_);
  return end_status_;
}

}  // namespace longtake
