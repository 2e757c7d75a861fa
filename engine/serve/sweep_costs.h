// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What sweeps cost, learned from those that were run, and the knee that follows: as many rows as
// make a sweep as efficient as any can be. The batcher takes no more, so that whoever waits for the
// next sweep does not wait longer than throughput asks for.
//
// A plain value; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace longtake {

struct SweepCost {
  int64_t tokens = 0;
  double seconds = 0;       // all of it
  double wait_seconds = 0;  // for the disk
};

class SweepCosts {
 public:
  void Add(const SweepCost& sweep);

  // The knee: rows from which a sweep makes at least kEfficient of the rows per second that larger
  // sweeps make; at least 1, which says that sharing a sweep saves nothing. Below it more sessions
  // are nearly free, because the layers are read or widened anyway. nullopt until sweeps of two
  // sizes were seen.
  std::optional<int64_t> Knee() const;

  static constexpr double kEfficient = 0.95;

 private:
  // Means of sweeps of about one size, the latest weighing most.
  struct Mean {
    double tokens = 0;
    double work_seconds = 0;
  };
  const Mean& Larger(const Mean& small) const;

  bool warm_ = false;
  uint64_t sweeps_ = 0;
  std::map<int, Mean> means_;  // by half octaves of tokens
  double read_seconds_ = 0;    // of a sweep that the disk bounds; 0: none was
};

}  // namespace longtake
