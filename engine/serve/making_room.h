// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A refusal that is not the last word: a session that nobody reads was parked, and its memory comes
// back when its sweep is over. Nobody waits for that on a thread; who asked asks again.
#pragma once

#include <cstdint>

#include "absl/strings/cord.h"
#include "base/status_macros.h"

namespace longtake {

// How soon it is worth asking again, and for how long.
constexpr int64_t kRoomLookNanos = 20'000'000;
constexpr int64_t kRoomNanos = 2'000'000'000;

constexpr char kMakingRoom[] = "longtake/making-room";

inline absl::Status MakingRoom(absl::Status refusal) {
  refusal.SetPayload(kMakingRoom, absl::Cord());
  return refusal;
}
inline bool IsMakingRoom(const absl::Status& status) {
  return !status.ok() && status.GetPayload(kMakingRoom).has_value();
}

}  // namespace longtake
