// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How fast a file can be read from its start on, with so many requests of a size in flight.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "storage/io/block_io.h"

namespace longtake {

struct ReadTrial {
  uint64_t request_bytes = 1 << 20;
  size_t depth = 8;
  uint64_t file_bytes = 0;  // whole requests of it are read, and then again from the start
  std::vector<uint64_t> offsets = {};  // where requests are made instead, in turn
  // Whichever comes first ends it.
  uint64_t bytes_max = 0;
  int64_t nanos_max = 0;
};

// Bytes per second. memory holds depth requests, io as many in flight. What was still under way at
// the end has been answered when it returns. UNAVAILABLE when the disk does not answer for 30 s.
absl::StatusOr<double> MeasureReadRate(BlockIo& io, std::span<std::byte> memory,
                                       const ReadTrial& trial, Clock& clock);

}  // namespace longtake
