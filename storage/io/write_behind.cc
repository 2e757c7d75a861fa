// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/write_behind.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "storage/io/sync_io.h"
#include "storage/io/uring_io.h"

namespace longtake {
namespace {

constexpr int64_t kTimeoutNanos = 60LL * 1'000'000'000;

// Threads would do no better than waiting for each slice: there are few.
std::unique_ptr<BlockIo> OpenIo(File& file) {
  if (file.SetDirect().ok()) {
    absl::StatusOr<UringIoResult> uring = OpenUringIo(file, {}, WriteBehind::kSlices);
    if (uring.ok()) return std::move(uring->io);
  }
  return OpenSyncIo(file, WriteBehind::kSlices);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WriteBehind>> WriteBehind::Open(File& file, uint64_t bytes,
                                                               std::span<std::byte> memory) {
  LT_CHECK(!memory.empty() && memory.size() % (kSlices * kBlockBytes) == 0);
  LT_RETURN_IF_ERROR(file.Reserve(CeilDiv(bytes, kBlockBytes) * kBlockBytes));
  return std::unique_ptr<WriteBehind>(new WriteBehind(OpenIo(file), memory));
}

WriteBehind::WriteBehind(std::unique_ptr<BlockIo> io, std::span<std::byte> memory)
    : memory_(memory),
      slice_bytes_(memory.size() / kSlices),
      queue_(std::move(io), {.request_bytes = slice_bytes_,
                             .timeout_nanos = kTimeoutNanos,
                             .add_next = [] { return false; },
                             .clock = &clock_}) {}

absl::Status WriteBehind::Write(uint64_t offset, std::span<const std::byte> bytes) {
  LT_RETURN_IF_ERROR(failed_);
  LT_CHECK(offset >= offset_ + filled_);
  LT_RETURN_IF_ERROR(Put(nullptr, offset - offset_ - filled_));
  return Put(bytes.data(), bytes.size());
}

absl::Status WriteBehind::Put(const std::byte* bytes, uint64_t count) {
  while (count > 0) {
    LT_RETURN_IF_ERROR(AwaitSlice(slice_));
    const uint64_t part = std::min(count, slice_bytes_ - filled_);
    std::byte* const to = memory_.data() + slice_ * slice_bytes_ + filled_;
    if (bytes == nullptr) {
      std::memset(to, 0, part);
    } else {
      std::memcpy(to, bytes, part);
      bytes += part;
    }
    count -= part;
    filled_ += part;
    if (filled_ == slice_bytes_) LT_RETURN_IF_ERROR(Send());
  }
  return absl::OkStatus();
}

absl::Status WriteBehind::Send() {
  const size_t slice = slice_;
  under_way_[slice] = true;
  queue_.Add({.kind = BlockRequest::Kind::kWrite,
              .offset = offset_,
              .memory = memory_.subspan(slice * slice_bytes_, filled_),
              .done = [this, slice](const absl::Status& status) {
                under_way_[slice] = false;
                failed_.Update(status);
              }});
  queue_.Pump();
  offset_ += std::exchange(filled_, 0);
  slice_ = (slice_ + 1) % kSlices;
  return failed_;
}

absl::Status WriteBehind::AwaitSlice(size_t slice) {
  if (under_way_[slice]) {
    failed_.Update(queue_.Await([this, slice] { return !under_way_[slice]; }));
  }
  return failed_;
}

absl::Status WriteBehind::Flush() {
  LT_RETURN_IF_ERROR(failed_);
  if (filled_ > 0) {
    LT_RETURN_IF_ERROR(Put(nullptr, CeilDiv(filled_, kBlockBytes) * kBlockBytes - filled_));
  }
  // A slice that this filled is under way already.
  if (filled_ > 0) LT_RETURN_IF_ERROR(Send());
  for (size_t slice = 0; slice < kSlices; ++slice) LT_RETURN_IF_ERROR(AwaitSlice(slice));
  return absl::OkStatus();
}

}  // namespace longtake
