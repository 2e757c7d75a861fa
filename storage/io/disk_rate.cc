// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/disk_rate.h"

#include <algorithm>

namespace longtake {
namespace {

constexpr int64_t kAnswerNanos = 30'000'000'000;

}  // namespace

absl::StatusOr<double> MeasureReadRate(BlockIo& io, std::span<std::byte> memory,
                                       const ReadTrial& trial, Clock& clock) {
  const uint64_t requests =
      trial.offsets.empty() ? trial.file_bytes / trial.request_bytes : trial.offsets.size();
  if (requests == 0 || trial.depth == 0 || memory.size() < trial.depth * trial.request_bytes) {
    return absl::InvalidArgumentError("a read trial without a whole request");
  }
  const uint64_t depth = std::min(trial.depth, io.capacity());
  const int64_t start = clock.MonotonicNanos();
  int64_t end = start;
  const auto over = [&](uint64_t count) {
    return count * trial.request_bytes >= trial.bytes_max || end - start >= trial.nanos_max;
  };
  const auto submit = [&](uint64_t number, uint64_t index) {
    io.Submit({.tag = index,
               .offset = trial.offsets.empty() ? number % requests * trial.request_bytes
                                               : trial.offsets[number % requests],
               .memory = memory.subspan(index * trial.request_bytes, trial.request_bytes)});
  };
  uint64_t asked = 0;
  for (; asked < depth && !over(asked); ++asked) submit(asked, asked);
  uint64_t answered = 0;
  uint64_t in_time = 0;
  absl::Status status;
  while (answered < asked) {
    const std::optional<BlockCompletion> done = io.Wait(kAnswerNanos);
    if (!done.has_value()) return absl::UnavailableError("the disk does not answer");
    status.Update(done->status);
    ++answered;
    // The tail, when fewer and fewer are in flight, does not count.
    if (in_time > 0) continue;
    end = clock.MonotonicNanos();
    if (status.ok() && !over(asked)) {
      submit(asked++, done->tag);
    } else {
      in_time = answered;
    }
  }
  LT_RETURN_IF_ERROR(status);
  const double seconds = std::max(NanosToSeconds(end - start), 1e-9);
  return static_cast<double>(in_time * trial.request_bytes) / seconds;
}

}  // namespace longtake
