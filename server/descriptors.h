// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How many file descriptors the process may have, and how many connections that allows. Any thread.
#pragma once

#include <cstdint>

#include "base/status_macros.h"

namespace longtake {

// A connection takes its socket and a duplicate of it (connection_acceptor.h).
inline constexpr int64_t kConnectionDescriptors = 2;
// What the machine's default limits would allow, a server of this kind has no use for.
inline constexpr int64_t kConnectionsMaxDefault = 1024;

struct DescriptorLimit {
  int64_t soft = 0;  // as it was when the process began
  int64_t now = 0;
};

// Raises the soft limit of the process to the hard one; where that is refused it stays.
DescriptorLimit RaiseDescriptorLimit();

// Descriptors the process may open beside those that are open now.
int64_t FreeDescriptors();

// How many connections free descriptors allow when so many are kept back for everything else.
// asked is connections-max, 0: as many as fit, at most kConnectionsMaxDefault. RESOURCE_EXHAUSTED
// when they are too few for what was asked, or for one.
absl::StatusOr<int64_t> ConnectionsAllowed(int64_t asked, int64_t free, int64_t reserve);

}  // namespace longtake
