// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long a session lives, and what it waits for.
#include <optional>

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

bool Session::AwaitsStart() const {
  return !ended_ && !start_taken_ && start_.size() < spec_.start_bytes();
}

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

bool Session::WaitsForClient() const {
  if (!records_.empty()) return false;  // it waits for its sink
  if (ended_) return true;              // to take the rest, or to leave
  if (AwaitsStart()) return true;
  return state_ == SessionState::kPaused || state_ == SessionState::kBlocked;
}

int64_t Session::LifeNanos() const {
  return attachment_.had_reader() ? spec_.ttl_nanos : limits_.first_attach_nanos;
}

}  // namespace longtake
