// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a layer stream (storage/stream/layer_stream.h) has done since it was opened. A plain value.
#pragma once

#include <cstdint>

namespace longtake {

struct LayerStreamStats {
  uint64_t bytes_read = 0;
  uint64_t reads = 0;
  uint64_t short_reads = 0;
  uint64_t retries = 0;            // EINTR, EAGAIN
  uint64_t checksum_failures = 0;  // CRC blocks that differed at the first reading
  uint64_t io_errors = 0;
  uint64_t read_timeouts = 0;  // waits in which no read was answered
  uint64_t sweeps_done = 0;
  uint64_t in_flight = 0;     // reads under way now
  double wait_seconds = 0;    // the caller blocked on a read
  double verify_seconds = 0;  // the caller waited for checksums

  // What two streams did together; sweeps_done adds up, too.
  void Add(const LayerStreamStats& other) {
    bytes_read += other.bytes_read;
    reads += other.reads;
    short_reads += other.short_reads;
    retries += other.retries;
    checksum_failures += other.checksum_failures;
    io_errors += other.io_errors;
    read_timeouts += other.read_timeouts;
    sweeps_done += other.sweeps_done;
    in_flight += other.in_flight;
    wait_seconds += other.wait_seconds;
    verify_seconds += other.verify_seconds;
  }
};

}  // namespace longtake
