// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/part_fetcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/checksum.h"
#include "storage/pack/chunk_sums.h"

namespace longtake {
namespace {

// A tag is the fetch's number and the request's index in it; second readings have the last index.
constexpr int kRequestBits = 24;
constexpr size_t kAgainRequest = (1u << kRequestBits) - 1;
// A wait for a disk that has not answered before.
constexpr int64_t kStuckWaitNanos = 100'000'000;

uint64_t MakeTag(uint64_t fetch, size_t request) { return (fetch << kRequestBits) | request; }

}  // namespace

PartFetcher::PartFetcher(const PackReader& pack, const StreamPlan& plan, Options options,
                         Clock& clock)
    : pack_(pack),
      plan_(plan),
      options_(options),
      clock_(clock),
      resident_(plan.units.size(), false),
      seen_(pack.header().crc_count, false) {}

absl::Status PartFetcher::Allocate() {
  const uint64_t alignment = pack_.header().chunk_bytes;
  for (uint64_t i = 0; i < plan_.slot_count; ++i) {
    LT_ASSIGN_OR_RETURN(AlignedBuffer slot,
                        AlignedBuffer::Allocate(plan_.slot_bytes, alignment, options_.populator));
    slots_.push_back(std::move(slot));
    free_slots_.push_back(i);
  }
  for (const StreamUnit& unit : plan_.units) {
    AlignedBuffer memory;
    if (unit.pinned) {
      LT_ASSIGN_OR_RETURN(memory,
                          AlignedBuffer::Allocate(unit.bytes, alignment, options_.populator));
    }
    pinned_.push_back(std::move(memory));
  }
  return absl::OkStatus();
}

std::vector<std::span<std::byte>> PartFetcher::slot_memory() {
  std::vector<std::span<std::byte>> memory;
  for (AlignedBuffer& slot : slots_) memory.push_back(slot.span());
  return memory;
}

void PartFetcher::Pump() {
  Collect();
  // One fetch at a time is handed out completely before the next begins, so that the disk sees the
  // order of use.
  for (;;) {
    IssueRequests();
    if (reader_->in_flight() == reader_->capacity() || !StartNextFetch()) break;
  }
  reader_->Flush();
}

bool PartFetcher::StartNextFetch() {
  for (size_t tried = 0; tried < plan_.units.size(); ++tried) {
    if (!resident_[next_unit_]) break;
    next_unit_ = (next_unit_ + 1) % plan_.units.size();
  }
  const StreamUnit& unit = plan_.units[next_unit_];
  if (resident_[next_unit_]) return false;  // everything is
  Fetch fetch;
  fetch.unit = next_unit_;
  if (unit.pinned) {
    // Only one memory for it: the sweep before may still be reading into it.
    for (const auto& [number, other] : fetches_) {
      if (other.unit == next_unit_) return false;
    }
    fetch.memory = pinned_[next_unit_].span();
  } else {
    if (free_slots_.empty()) return false;
    fetch.slot = free_slots_.back();
    free_slots_.pop_back();
    fetch.memory = slots_[fetch.slot].span().first(unit.bytes);
  }
  fetch.request_count = CeilDiv(unit.bytes, options_.request_bytes);
  fetch.arrived.assign(fetch.request_count, false);
  fetch.number = next_number_++;
  fetches_.emplace(fetch.number, std::move(fetch));
  next_unit_ = (next_unit_ + 1) % plan_.units.size();
  return true;
}

void PartFetcher::IssueRequests() {
  for (auto& [number, fetch] : fetches_) {
    if (fetch.released || !fetch.status.ok()) continue;
    while (fetch.issued < fetch.request_count && reader_->in_flight() < reader_->capacity()) {
      const uint64_t offset = pack_.header().payload_offset + plan_.units[fetch.unit].offset +
                              fetch.issued * options_.request_bytes;
      reader_->Submit({.tag = MakeTag(number, fetch.issued),
                       .offset = offset,
                       .memory = RequestSpan(fetch, fetch.issued)});
      if (fetch.issued == 0 && options_.trace != nullptr) {
        fetch.issued_nanos = clock_.MonotonicNanos();
      }
      ++fetch.issued;
      ++fetch.under_way;
    }
  }
}

std::span<std::byte> PartFetcher::RequestSpan(const Fetch& fetch, size_t request) const {
  const uint64_t begin = request * options_.request_bytes;
  return fetch.memory.subspan(begin, std::min(options_.request_bytes, fetch.memory.size() - begin));
}

void PartFetcher::Collect() {
  while (std::optional<BlockCompletion> completion = reader_->Poll()) Handle(*completion);
  PopFinished();
}

absl::Status PartFetcher::CollectSome() {
  const int64_t start = clock_.MonotonicNanos();
  const std::optional<BlockCompletion> completion =
      reader_->Wait(stuck_ ? kStuckWaitNanos : options_.read_timeout_nanos);
  const int64_t end = clock_.MonotonicNanos();
  stats_.wait_nanos += end - start;
  if (options_.trace != nullptr) {
    options_.trace->Span(options_.trace_name + " wait", "wait for the disk", start, end);
  }
  if (!completion.has_value()) {
    stuck_ = true;
    ++stats_.read_timeouts;
    return absl::UnavailableError(absl::StrCat(
        pack_.path(), ": the disk does not answer, ", reader_->in_flight(),
        " reads are under way; waited ", NanosToSeconds(options_.read_timeout_nanos), " s"));
  }
  Handle(*completion);
  Collect();
  return absl::OkStatus();
}

void PartFetcher::Handle(const BlockCompletion& completion) {
  stuck_ = false;
  if (!completion.status.ok()) ++stats_.io_errors;
  const auto found = fetches_.find(completion.tag >> kRequestBits);
  LT_CHECK(found != fetches_.end());
  Fetch& fetch = found->second;
  const size_t request = completion.tag & kAgainRequest;
  --fetch.under_way;
  if (request == kAgainRequest) {
    // One that was waited for in vain before a Restart may be answered now.
    if (fetch.number == again_fetch_) again_status_ = completion.status;
    return;
  }
  fetch.arrived[request] = true;
  if (fetch.status.ok()) fetch.status = completion.status;
  if (options_.trace != nullptr && fetch.issued == fetch.request_count && fetch.under_way == 0) {
    TraceRead(fetch);
  }
}

void PartFetcher::TraceRead(const Fetch& fetch) {
  const StreamUnit& unit = plan_.units[fetch.unit];
  const std::string row = fetch.slot == kNoSlot
                              ? options_.trace_name + " read, kept"
                              : absl::StrCat(options_.trace_name, " read, slot ", fetch.slot);
  options_.trace->Span(row, absl::StrCat("layer ", unit.layer, " part ", unit.part),
                       fetch.issued_nanos, clock_.MonotonicNanos(),
                       absl::StrCat(unit.bytes, " bytes"));
}

void PartFetcher::PopFinished() {
  std::erase_if(fetches_, [this](const auto& entry) {
    const Fetch& fetch = entry.second;
    if (!fetch.released || fetch.under_way > 0) return false;
    if (fetch.slot != kNoSlot) free_slots_.push_back(fetch.slot);
    return true;
  });
}

PartFetcher::Fetch* PartFetcher::Find(size_t unit) {
  for (auto& [number, fetch] : fetches_) {
    if (fetch.unit == unit && !fetch.released) return &fetch;
  }
  return nullptr;
}

absl::Status PartFetcher::AwaitBegin(size_t unit) {
  Pump();
  while (!resident_[unit]) {
    const Fetch* fetch = Find(unit);
    if (fetch != nullptr && (fetch->arrived[0] || !fetch->status.ok())) break;
    LT_RETURN_IF_ERROR(CollectSome());
    Pump();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::span<const std::byte>> PartFetcher::Await(size_t unit) {
  Pump();
  if (resident_[unit]) return std::as_const(pinned_[unit]).span();
  while (Find(unit) == nullptr) {
    LT_RETURN_IF_ERROR(CollectSome());
    Pump();
  }
  Fetch& fetch = *Find(unit);  // stays where it is, as it is not released
  while (fetch.verified < fetch.request_count) {
    if (!fetch.status.ok()) return fetch.status;
    if (!fetch.arrived[fetch.verified]) {
      LT_RETURN_IF_ERROR(CollectSome());
      Pump();
      continue;
    }
    size_t end = fetch.verified + 1;
    while (end < fetch.request_count && fetch.arrived[end]) ++end;
    fetch.status.Update(VerifyRequests(fetch, end));  // a read may have failed meanwhile
  }
  if (plan_.units[unit].pinned) resident_[unit] = true;
  return std::span<const std::byte>(fetch.memory);
}

// What has arrived in one piece is verified in one go, so that the workers have something to share.
absl::Status PartFetcher::VerifyRequests(Fetch& fetch, size_t end) {
  const uint64_t begin_byte = fetch.verified * options_.request_bytes;
  const uint64_t end_byte = std::min<uint64_t>(end * options_.request_bytes, fetch.memory.size());
  const uint64_t chunk = (plan_.units[fetch.unit].offset + begin_byte) / pack_.header().chunk_bytes;
  const int64_t start = clock_.MonotonicNanos();
  const int64_t waited = stats_.wait_nanos;
  const absl::Status status =
      Verify(fetch, chunk, fetch.memory.subspan(begin_byte, end_byte - begin_byte));
  const int64_t done = clock_.MonotonicNanos();
  stats_.verify_nanos += done - start - (stats_.wait_nanos - waited);
  if (options_.trace != nullptr) {
    options_.trace->Span(options_.trace_name + " verify", "checksums", start, done);
  }
  if (status.ok()) fetch.verified = end;
  return status;
}

absl::Status PartFetcher::Verify(Fetch& fetch, uint64_t first_chunk, std::span<std::byte> bytes) {
  const uint64_t chunk_bytes = pack_.header().chunk_bytes;
  LT_CHECK(bytes.size() % chunk_bytes == 0);
  const auto seen = seen_.begin() + static_cast<int64_t>(first_chunk);
  const auto seen_end = seen + static_cast<int64_t>(bytes.size() / chunk_bytes);
  if (!options_.verify_every_sweep && std::find(seen, seen_end, false) == seen_end) {
    return absl::OkStatus();
  }
  const std::vector<uint32_t> sums = ChunkSums(bytes, chunk_bytes, options_.workers);
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i] == pack_.chunk_crc(first_chunk + i)) continue;
    ++stats_.checksum_failures;
    LT_RETURN_IF_ERROR(
        RepairChunk(fetch, first_chunk + i, bytes.subspan(i * chunk_bytes, chunk_bytes)));
  }
  std::fill(seen, seen_end, true);
  return absl::OkStatus();
}

// A fault on the way (bus, controller) may be gone the second time; one on the disk is not.
absl::Status PartFetcher::RepairChunk(Fetch& fetch, uint64_t chunk, std::span<std::byte> bytes) {
  LT_RETURN_IF_ERROR(ReadAgain(fetch, chunk, bytes));
  if (Crc32c(bytes) == pack_.chunk_crc(chunk)) return absl::OkStatus();
  ++stats_.checksum_failures;
  return absl::DataLossError(
      pack_.path() + ": layer " + std::to_string(plan_.units[fetch.unit].layer) + ", chunk " +
      std::to_string(chunk) + " at byte " +
      std::to_string(pack_.header().payload_offset + chunk * pack_.header().chunk_bytes) +
      ": CRC32C differs, also when read again");
}

absl::Status PartFetcher::ReadAgain(Fetch& fetch, uint64_t chunk, std::span<std::byte> bytes) {
  while (reader_->in_flight() == reader_->capacity()) LT_RETURN_IF_ERROR(CollectSome());
  again_status_.reset();
  again_fetch_ = fetch.number;
  reader_->Submit({.tag = MakeTag(fetch.number, kAgainRequest),
                   .offset = pack_.header().payload_offset + chunk * pack_.header().chunk_bytes,
                   .memory = bytes});
  ++fetch.under_way;
  while (!again_status_.has_value()) LT_RETURN_IF_ERROR(CollectSome());
  return *again_status_;
}

void PartFetcher::Release(size_t unit) {
  if (Fetch* fetch = Find(unit)) {
    fetch->released = true;
    PopFinished();
  } else if (!resident_[unit]) {
    // Passed over before its turn to be read came: reading goes on behind it.
    next_unit_ = (unit + 1) % plan_.units.size();
  }
}

void PartFetcher::Restart() {
  for (auto& [number, fetch] : fetches_) fetch.released = true;
  Collect();
  next_unit_ = 0;
}

}  // namespace longtake
