// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/part_fetcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/checksum.h"
#include "storage/pack/block_crcs.h"

namespace longtake {

PartFetcher::PartFetcher(const PackReader& pack, const StreamPlan& plan, Options options,
                         Clock& clock)
    : pack_(pack),
      plan_(plan),
      options_(options),
      clock_(clock),
      slot_taken_(plan.slot_count + plan.units.size(), false),
      resident_(plan.units.size(), false),
      seen_(pack.header().crc_count, false) {}

absl::Status PartFetcher::Allocate() {
  std::vector<uint64_t> sizes(plan_.slot_count, plan_.slot_bytes);
  for (const StreamUnit& unit : plan_.units) sizes.push_back(unit.kept ? unit.bytes : 0);
  for (const uint64_t bytes : sizes) {
    LT_ASSIGN_OR_RETURN(
        AlignedBuffer slot,
        options_.allocate
            ? options_.allocate(bytes)
            : AlignedBuffer::Allocate(bytes, pack_.header().crc_block_bytes, options_.populator));
    slots_.push_back(std::move(slot));
  }
  return absl::OkStatus();
}

std::vector<std::span<std::byte>> PartFetcher::slot_memory() {
  std::vector<std::span<std::byte>> memory;
  for (size_t i = 0; i < plan_.slot_count; ++i) memory.push_back(slots_[i].span());
  return memory;
}

void PartFetcher::Start(std::vector<std::unique_ptr<BlockIo>> readers) {
  LT_CHECK(readers.size() == pack_.layer_files().size());
  for (std::unique_ptr<BlockIo>& reader : readers) {
    queues_.emplace_back(std::move(reader),
                         TransferQueue::Options{.request_bytes = options_.request_bytes,
                                                .timeout_nanos = options_.read_timeout_nanos,
                                                .add_next = [this] { return StartNextFetch(); },
                                                .clock = &clock_,
                                                .trace = options_.trace,
                                                .trace_name = options_.trace_name});
  }
}

// What one path's queue begins may be another's, which then has to be asked again.
void PartFetcher::Pump() {
  uint64_t begun;
  do {
    begun = begun_;
    for (TransferQueue& queue : queues_) queue.Pump();
  } while (begun != begun_ && queues_.size() > 1);
}

bool PartFetcher::StartNextFetch() {
  for (size_t tried = 0; tried < plan_.units.size() && resident_[next_unit_]; ++tried) {
    next_unit_ = (next_unit_ + 1) % plan_.units.size();
  }
  if (resident_[next_unit_]) return false;  // everything is
  const std::optional<size_t> slot = FreeSlot(next_unit_);
  if (!slot.has_value()) return false;
  slot_taken_[*slot] = true;
  const StreamUnit& unit = plan_.units[next_unit_];
  TransferQueue::Transfer& read = queues_[unit.path].Add(
      {.offset = pack_.header().payload_offset + unit.offset,
       .memory = slots_[*slot].span().first(unit.bytes),
       .track = unit.kept ? options_.trace_name + " read, kept"
                          : absl::StrCat(options_.trace_name, " read, slot ", *slot),
       .trace_name = absl::StrCat("layer ", unit.layer, " part ", unit.part),
       .done = [this, slot](const absl::Status&) { slot_taken_[*slot] = false; }});
  fetches_.push_back({.unit = next_unit_, .read = &read});
  ++begun_;
  next_unit_ = (next_unit_ + 1) % plan_.units.size();
  return true;
}

// A kept unit has only one memory: the sweep before may still be reading into it.
std::optional<size_t> PartFetcher::FreeSlot(size_t unit) const {
  const bool kept = plan_.units[unit].kept;
  const size_t end = kept ? plan_.slot_count + unit + 1 : plan_.slot_count;
  for (size_t slot = kept ? end - 1 : 0; slot < end; ++slot) {
    if (!slot_taken_[slot]) return slot;
  }
  return std::nullopt;
}

std::deque<PartFetcher::Fetch>::iterator PartFetcher::Find(size_t unit) {
  return std::find_if(fetches_.begin(), fetches_.end(),
                      [unit](const Fetch& fetch) { return fetch.unit == unit; });
}

// For the unit's own path, or for another one while that still reads into memory that the unit is
// to have: what was released before its time.
absl::Status PartFetcher::AwaitOf(size_t unit, absl::FunctionRef<bool()> there) {
  for (Pump(); !there(); Pump()) {
    TransferQueue* queue = &queues_[plan_.units[unit].path];
    for (TransferQueue& other : queues_) {
      if (queue->io().in_flight() == 0) queue = &other;
    }
    LT_RETURN_IF_ERROR(queue->Wait());
  }
  return absl::OkStatus();
}

absl::Status PartFetcher::AwaitBegin(size_t unit) {
  return AwaitOf(unit, [&] {
    if (resident_[unit]) return true;
    const auto fetch = Find(unit);
    return fetch != fetches_.end() && (fetch->read->front_bytes() > 0 || fetch->read->settled());
  });
}

absl::StatusOr<std::span<const std::byte>> PartFetcher::Await(size_t unit) {
  LT_RETURN_IF_ERROR(
      AwaitOf(unit, [&] { return resident_[unit] || Find(unit) != fetches_.end(); }));
  if (resident_[unit]) return std::as_const(slots_[plan_.slot_count + unit]).span();
  Fetch& fetch = *Find(unit);  // stays where it is, as it is not released
  const TransferQueue::Transfer& read = *fetch.read;
  while (fetch.verified < read.memory().size()) {
    LT_RETURN_IF_ERROR(
        AwaitOf(unit, [&] { return read.front_bytes() > fetch.verified || !read.status().ok(); }));
    LT_RETURN_IF_ERROR(read.status());
    LT_RETURN_IF_ERROR(VerifyTo(fetch, read.front_bytes()));
  }
  if (plan_.units[unit].kept) resident_[unit] = true;
  return std::span<const std::byte>(read.memory());
}

// What has arrived in one piece is verified in one go, so that the workers have something to share.
absl::Status PartFetcher::VerifyTo(Fetch& fetch, uint64_t end) {
  const int64_t start = clock_.MonotonicNanos();
  const TransferQueue::Stats& queue = queues_[plan_.units[fetch.unit].path].stats();
  const int64_t waited = queue.wait_nanos;
  const absl::Status status =
      Verify(fetch, fetch.read->memory().subspan(fetch.verified, end - fetch.verified));
  const int64_t done = clock_.MonotonicNanos();
  stats_.verify_nanos += done - start - (queue.wait_nanos - waited);
  if (options_.trace != nullptr) {
    options_.trace->Span(options_.trace_name + " verify", "checksums", start, done);
  }
  if (status.ok()) fetch.verified = end;
  return status;
}

absl::Status PartFetcher::Verify(const Fetch& fetch, std::span<std::byte> bytes) {
  const uint64_t crc_block_bytes = pack_.header().crc_block_bytes;
  LT_CHECK(bytes.size() % crc_block_bytes == 0);
  const uint64_t first = (plan_.units[fetch.unit].offset + fetch.verified) / crc_block_bytes;
  const auto seen = seen_.begin() + static_cast<int64_t>(first);
  const auto seen_end = seen + static_cast<int64_t>(bytes.size() / crc_block_bytes);
  if (!options_.verify_every_sweep && std::find(seen, seen_end, false) == seen_end) {
    return absl::OkStatus();
  }
  const std::vector<uint32_t> sums = BlockCrcs(bytes, crc_block_bytes, options_.workers);
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i] == pack_.block_crc(first + i)) continue;
    ++stats_.checksum_failures;
    LT_RETURN_IF_ERROR(
        RepairCrcBlock(fetch, first + i, bytes.subspan(i * crc_block_bytes, crc_block_bytes)));
  }
  std::fill(seen, seen_end, true);
  return absl::OkStatus();
}

// A fault on the way (bus, controller) may be gone the second time; one on the disk is not.
absl::Status PartFetcher::RepairCrcBlock(const Fetch& fetch, uint64_t block,
                                         std::span<std::byte> bytes) {
  const auto begin = static_cast<uint64_t>(bytes.data() - fetch.read->memory().data());
  const StreamUnit& unit = plan_.units[fetch.unit];
  LT_RETURN_IF_ERROR(queues_[unit.path].ReadAgain(*fetch.read, begin, bytes.size()));
  if (Crc32c(bytes) == pack_.block_crc(block)) return absl::OkStatus();
  ++stats_.checksum_failures;
  return absl::DataLossError(absl::StrCat(pack_.layer_files()[unit.path], ": layer ", unit.layer,
                                          ", CRC block ", block, " at byte ",
                                          pack_.header().payload_offset + block * bytes.size(),
                                          ": CRC32C differs, also when read again"));
}

void PartFetcher::Release(size_t unit) {
  if (const auto fetch = Find(unit); fetch != fetches_.end()) {
    queues_[plan_.units[unit].path].Drop(*fetch->read);
    fetches_.erase(fetch);
  } else if (!resident_[unit]) {
    // Passed over before its turn to be read came: reading goes on behind it.
    next_unit_ = (unit + 1) % plan_.units.size();
  }
}

void PartFetcher::Restart() {
  for (const Fetch& fetch : fetches_) queues_[plan_.units[fetch.unit].path].Drop(*fetch.read);
  fetches_.clear();
  next_unit_ = 0;
}

PartFetcherStats PartFetcher::stats() const {
  PartFetcherStats out = stats_;
  for (const TransferQueue& queue : queues_) {
    out.io_errors += queue.stats().io_errors;
    out.read_timeouts += queue.stats().timeouts;
    out.wait_nanos += queue.stats().wait_nanos;
  }
  return out;
}

}  // namespace longtake
