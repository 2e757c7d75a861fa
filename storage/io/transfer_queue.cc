// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/transfer_queue.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {
namespace {

// A tag is the transfer's number and the request's index in it.
constexpr int kIndexBits = 24;
constexpr uint64_t kIndexMask = (uint64_t{1} << kIndexBits) - 1;
// A wait for a disk that has not answered before.
constexpr int64_t kStuckWaitNanos = 100'000'000;

}  // namespace

TransferQueue::Transfer& TransferQueue::Add(Range range) {
  const size_t requests = CeilDiv(range.memory.size(), options_.request_bytes);
  LT_CHECK(requests > 0 && requests <= kIndexMask);
  Transfer& transfer = transfers_[next_number_];
  transfer.number_ = next_number_++;
  transfer.range_ = std::move(range);
  transfer.arrived_.assign(requests, false);
  return transfer;
}

void TransferQueue::Drop(Transfer& read) {
  read.dropped_ = true;
  RemoveIfDone(read);
}

void TransferQueue::Pump() {
  while (const std::optional<BlockCompletion> completion = io_->Poll()) TakeIn(*completion);
  do {
    IssueRequests();
  } while (io_->in_flight() < io_->capacity() && options_.add_next());
  io_->Flush();
}

void TransferQueue::IssueRequests() {
  for (auto next = transfers_.lower_bound(first_unissued_); next != transfers_.end(); ++next) {
    Transfer& transfer = next->second;
    while (transfer.wants_more()) {
      if (io_->in_flight() == io_->capacity()) return;
      if (transfer.issued_ == 0) transfer.issued_nanos_ = options_.clock->MonotonicNanos();
      const uint64_t begin = transfer.issued_ * options_.request_bytes;
      const uint64_t bytes = std::min(options_.request_bytes, transfer.memory().size() - begin);
      io_->Submit({.tag = transfer.number_ << kIndexBits | transfer.issued_,
                   .offset = transfer.range_.offset + begin,
                   .memory = transfer.memory().subspan(begin, bytes),
                   .kind = transfer.range_.kind});
      ++transfer.issued_;
      ++transfer.under_way_;
    }
    first_unissued_ = next->first + 1;
  }
}

absl::Status TransferQueue::Await(absl::FunctionRef<bool()> there) {
  for (Pump(); !there(); Pump()) LT_RETURN_IF_ERROR(Wait());
  return absl::OkStatus();
}

absl::Status TransferQueue::Wait() {
  const int64_t start = options_.clock->MonotonicNanos();
  const std::optional<BlockCompletion> completion =
      io_->Wait(stuck_ ? kStuckWaitNanos : options_.timeout_nanos);
  const int64_t end = options_.clock->MonotonicNanos();
  stats_.wait_nanos += end - start;
  if (options_.trace != nullptr) {
    options_.trace->Span(options_.trace_name + " wait", "wait for the disk", start, end);
  }
  if (completion.has_value()) {
    TakeIn(*completion);
    return absl::OkStatus();
  }
  stuck_ = true;
  ++stats_.timeouts;
  return absl::UnavailableError(absl::StrCat(io_->path(), ": the disk does not answer, ",
                                             io_->in_flight(), " requests are under way; waited ",
                                             NanosToSeconds(options_.timeout_nanos), " s"));
}

void TransferQueue::TakeIn(const BlockCompletion& completion) {
  stuck_ = false;
  const auto found = transfers_.find(completion.tag >> kIndexBits);
  LT_CHECK(found != transfers_.end());
  Transfer& transfer = found->second;
  --transfer.under_way_;
  transfer.status_.Update(completion.status);
  if (!completion.status.ok()) ++stats_.io_errors;
  transfer.arrived_[completion.tag & kIndexMask] = completion.status.ok();
  const auto gap = std::find(transfer.arrived_.begin(), transfer.arrived_.end(), false);
  const auto front = static_cast<uint64_t>(gap - transfer.arrived_.begin());
  transfer.front_bytes_ = std::min(front * options_.request_bytes, transfer.memory().size());
  if (options_.trace != nullptr && transfer.front_bytes_ == transfer.memory().size()) {
    options_.trace->Span(transfer.range_.track, transfer.range_.trace_name, transfer.issued_nanos_,
                         options_.clock->MonotonicNanos(),
                         absl::StrCat(transfer.memory().size(), " bytes"));
  }
  RemoveIfDone(transfer);
}

void TransferQueue::RemoveIfDone(Transfer& transfer) {
  const bool written = transfer.range_.kind == BlockRequest::Kind::kWrite && transfer.settled();
  if (transfer.under_way_ > 0 || !(transfer.dropped_ || written)) return;
  const auto node = transfers_.extract(transfer.number_);
  const Transfer& gone = node.mapped();
  if (gone.range_.done) gone.range_.done(gone.status_);
}

absl::Status TransferQueue::ReadAgain(Transfer& read, uint64_t begin, uint64_t bytes) {
  // The memory is not given up before the answer, even when it comes long after a wait in vain.
  ++read.under_way_;
  Transfer& again = Add({.offset = read.range_.offset + begin,
                         .memory = read.memory().subspan(begin, bytes),
                         .track = read.range_.track,
                         .trace_name = read.range_.trace_name + " again",
                         .done = [this, &read](const absl::Status&) {
                           --read.under_way_;
                           RemoveIfDone(read);
                         }});
  absl::Status status = Await([&again] { return again.settled(); });
  status.Update(again.status());
  Drop(again);
  return status;
}

}  // namespace longtake
