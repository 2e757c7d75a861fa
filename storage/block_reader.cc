// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/block_reader.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file_system.h"

namespace longtake {
namespace {

// A short direct read may end anywhere, but the next must start at a whole block again; what the
// block held already is simply read twice.
constexpr size_t kRestartBytes = 4096;
constexpr int64_t kDrainNanos = 1'000'000'000;

}  // namespace

BlockReader::BlockReader(std::string path, size_t capacity)
    : path_(std::move(path)), pending_(capacity) {
  LT_CHECK(capacity > 0);
  for (size_t slot = capacity; slot > 0; --slot) free_.push_back(slot - 1);
}

void BlockReader::Submit(const BlockRead& read) {
  LT_CHECK(!free_.empty());
  const size_t slot = free_.back();
  free_.pop_back();
  pending_[slot] = {.read = read};
  ++in_flight_;
  StartRaw(slot, read.offset, read.out);
}

std::optional<BlockCompletion> BlockReader::Poll() { return Next(0); }

std::optional<BlockCompletion> BlockReader::Wait(int64_t timeout_nanos) {
  LT_CHECK(in_flight_ > 0);
  return Next(timeout_nanos);
}

std::optional<BlockCompletion> BlockReader::Next(int64_t wait_nanos) {
  FlushRaw();
  while (in_flight_ > 0) {
    const std::optional<RawCompletion> raw = NextRaw(wait_nanos);
    if (!raw) return std::nullopt;
    if (std::optional<BlockCompletion> done = Settle(*raw)) return done;
    FlushRaw();
  }
  return std::nullopt;
}

std::optional<BlockCompletion> BlockReader::Settle(const RawCompletion& raw) {
  Pending& pending = pending_[raw.slot];
  const BlockRead& read = pending.read;
  const absl::Status status = Advance(pending, raw.result);
  if (status.ok() && pending.done_bytes < read.out.size()) {
    StartRaw(raw.slot, read.offset + pending.done_bytes, read.out.subspan(pending.done_bytes));
    return std::nullopt;
  }
  --in_flight_;
  free_.push_back(raw.slot);
  return BlockCompletion{.tag = read.tag, .status = status};
}

absl::Status BlockReader::Advance(Pending& pending, int64_t result) {
  const size_t wanted = pending.read.out.size();
  const std::string place =
      path_ + " at byte " + std::to_string(pending.read.offset + pending.done_bytes);
  ++stats_.reads;
  if (result == 0) return absl::DataLossError(place + ": the file ends here, inside a chunk");
  if (result < 0 && result != -EINTR && result != -EAGAIN) {
    const std::string reason = std::generic_category().message(static_cast<int>(-result));
    return absl::UnavailableError("read " + place + ": " + reason);
  }
  ++pending.stall_count;
  if (result < 0) {
    ++stats_.retries;
    if (pending.stall_count <= kTransientRetriesMax) return absl::OkStatus();
    return absl::UnavailableError("read " + place + ": no progress after repeated tries");
  }
  stats_.bytes_read += static_cast<uint64_t>(result);
  size_t got_to = pending.done_bytes + static_cast<size_t>(result);
  if (got_to < wanted) {
    ++stats_.short_reads;
    got_to = got_to / kRestartBytes * kRestartBytes;
  }
  if (got_to > pending.done_bytes) pending.stall_count = 0;
  pending.done_bytes = got_to;
  // A file cut inside a block answers with the same few bytes for ever.
  if (pending.stall_count <= kTransientRetriesMax) return absl::OkStatus();
  return absl::DataLossError(place + ": the file ends here, inside a block");
}

void BlockReader::Drain() {
  while (in_flight_ > 0) Wait(kDrainNanos);
}

}  // namespace longtake
