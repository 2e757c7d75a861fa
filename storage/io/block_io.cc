// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/block_io.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_system.h"

namespace longtake {
namespace {

// A short direct transfer may end anywhere, but the next must start at a whole block again; what
// was done of the block is simply done twice.
constexpr size_t kRestartBytes = 4096;
constexpr int64_t kDrainNanos = 1'000'000'000;

bool IsWrite(const BlockRequest& request) { return request.kind == BlockRequest::Kind::kWrite; }

}  // namespace

BlockIo::BlockIo(std::string path, size_t capacity) : path_(std::move(path)), pending_(capacity) {
  LT_CHECK(capacity > 0);
  for (size_t number = capacity; number > 0; --number) free_.push_back(number - 1);
}

void BlockIo::Submit(const BlockRequest& request) {
  LT_CHECK(!free_.empty());
  const size_t number = free_.back();
  free_.pop_back();
  pending_[number] = {.request = request};
  ++in_flight_;
  StartRaw(number, request);
}

std::optional<BlockCompletion> BlockIo::Poll() { return Next(0); }

std::optional<BlockCompletion> BlockIo::Wait(int64_t timeout_nanos) {
  LT_CHECK(in_flight_ > 0);
  return Next(timeout_nanos);
}

std::optional<BlockCompletion> BlockIo::Next(int64_t wait_nanos) {
  FlushRaw();
  while (in_flight_ > 0) {
    const std::optional<RawCompletion> raw = NextRaw(wait_nanos);
    if (!raw) return std::nullopt;
    if (std::optional<BlockCompletion> done = Settle(*raw)) return done;
    FlushRaw();
  }
  return std::nullopt;
}

std::optional<BlockCompletion> BlockIo::Settle(const RawCompletion& raw) {
  Pending& pending = pending_[raw.number];
  const BlockRequest& request = pending.request;
  const absl::Status status = Advance(pending, raw.result);
  if (status.ok() && pending.done_bytes < request.memory.size()) {
    BlockRequest rest = request;
    rest.offset += pending.done_bytes;
    rest.memory = rest.memory.subspan(pending.done_bytes);
    StartRaw(raw.number, rest);
    return std::nullopt;
  }
  --in_flight_;
  free_.push_back(raw.number);
  return BlockCompletion{.tag = request.tag, .status = status};
}

absl::Status BlockIo::Advance(Pending& pending, int64_t result) {
  const bool write = IsWrite(pending.request);
  const size_t wanted = pending.request.memory.size();
  const std::string where =
      absl::StrCat(path_, " at byte ", pending.request.offset + pending.done_bytes);
  const std::string verb = write ? "write " : "read ";
  ++(write ? stats_.writes : stats_.reads);
  if (result == 0 && !write) {
    return absl::DataLossError(where + ": the file ends here, inside a request");
  }
  if (result < 0 && result != -EINTR && result != -EAGAIN) {
    const std::string text =
        verb + where + ": " + std::generic_category().message(static_cast<int>(-result));
    const bool full = result == -ENOSPC || result == -EDQUOT;
    return full ? absl::ResourceExhaustedError(text) : absl::UnavailableError(text);
  }
  ++pending.stall_count;
  if (result < 0) {
    ++stats_.retries;
    if (pending.stall_count <= kTransientRetriesMax) return absl::OkStatus();
    return absl::UnavailableError(verb + where + ": no progress after repeated tries");
  }
  (write ? stats_.bytes_written : stats_.bytes_read) += static_cast<uint64_t>(result);
  size_t got_to = pending.done_bytes + static_cast<size_t>(result);
  if (got_to < wanted) {
    ++stats_.short_transfers;
    got_to = got_to / kRestartBytes * kRestartBytes;
  }
  if (got_to > pending.done_bytes) pending.stall_count = 0;
  pending.done_bytes = got_to;
  if (pending.stall_count <= kTransientRetriesMax) return absl::OkStatus();
  if (write) return absl::UnavailableError(verb + where + ": no progress after repeated tries");
  // A file cut inside a block answers with the same few bytes for ever.
  return absl::DataLossError(where + ": the file ends here, inside a block");
}

void BlockIo::Drain() {
  while (in_flight_ > 0) Wait(kDrainNanos);
}

}  // namespace longtake
