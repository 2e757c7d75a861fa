// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How much one session may hold, and how long it waits for its client: plain numbers of the server.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/session/attach_rate.h"

namespace longtake {

struct SessionLimits {
  uint64_t outbox_bytes_max = 64 << 20;  // pixels held for one session, sent or not
  size_t inbox_events_max = 64;          // events whose second receipt is still to come
  // How long a session lives that no reader attached to yet, whatever its ttl: it holds memory that
  // perhaps nobody will ever use.
  int64_t first_attach_nanos = 30'000'000'000;
  // How long a reader may be silent while the session waits for it; 0: for ever.
  int64_t attached_idle_nanos = 0;
  // Start frames: how long after their last byte the next one must come, and how far behind the
  // least rate they may be, from the first reader on.
  int64_t start_wait_nanos = 30'000'000'000;
  int64_t start_bytes_per_second_min = 32 << 10;
  AttachLimits attaches = {};
};

}  // namespace longtake
