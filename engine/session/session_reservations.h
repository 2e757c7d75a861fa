// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The parts of a session's promised memory that the session itself holds.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/session/memory_ledger.h"

namespace longtake {

// Reservations of the memory that a session itself holds.
struct SessionReservations {
  Reservation outbox;
  Reservation sending;      // the chunk that is being sent
  MemoryReservation start;  // the frames it begins with, and what encoding them keeps
};

// The frames a take begins with, RGB24 [frames, height, width, 3], and their reservation.
struct StartFrames {
  MemoryReservation memory;
  std::vector<uint8_t> rgb;
};

}  // namespace longtake
