// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What sweeps cost, learned from those that were run, and the batcher's token budget that follows:
// as many rows as are needed to be as efficient as any sweep can be, and no more, so that whoever
// waits for the next sweep does not wait longer than throughput asks for.
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

  // The knee: rows from which a sweep makes at least kEfficient of the rows per second that the
  // largest sweeps make. Below it more sessions are nearly free, because the layers are read or
  // widened anyway. nullopt until sweeps of two sizes were seen.
  std::optional<int64_t> Knee() const;

  // Rows for the next sweep when so many wait, the largest session bringing largest_tokens: what
  // waits in sweeps of equal size, as many as there are knees in it.
  int64_t TokenBudget(int64_t waiting_tokens, int64_t largest_tokens, int64_t tokens_max) const;

  static constexpr double kEfficient = 0.95;

 private:
  // Means of sweeps of about one size, the latest weighing most.
  struct Mean {
    double tokens = 0;
    double work_seconds = 0;
  };
  bool warm_ = false;
  uint64_t sweeps_ = 0;
  std::map<int, Mean> means_;  // by half octaves of tokens
  double read_seconds_ = 0;    // of a sweep that the disk bounds; 0: none was
};

}  // namespace longtake
