// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who asks for something: a plain value that goes with a request from the server into the engine.
#pragma once

#include <cstdint>
#include <string>

namespace longtake {

struct Caller {
  // The network the request came from: an IPv4 address, or the part of an IPv6 one that its owner
  // does not choose; through a Unix socket the user. Empty: this program itself, which has no
  // share.
  std::string peer = {};
  // Until then, in monotonic nanoseconds, it asks again when that is worth it
  // (engine/serve/making_room.h).
  int64_t asks_until_nanos = 0;
  // For the session store's disk, on the thread that asks; otherwise the answer is NeedsDisk where
  // only the disk knows (engine/serve/needs_disk.h).
  bool may_wait = true;
};

}  // namespace longtake
