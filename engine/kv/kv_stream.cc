// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_stream.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/checksum.h"
#include "base/error_reason.h"
#include "engine/kv/byte_ring.h"

namespace longtake {
namespace {

constexpr uint64_t kWriteShare = 8;
constexpr size_t kDepthMin = 16;
constexpr size_t kDepthMax = 1024;
// A wait for a disk that has not answered before.
constexpr int64_t kStuckWaitNanos = 100'000'000;
// The kernel registers at most 1 GiB as one buffer.
constexpr uint64_t kRegisteredMax = 512 << 20;

uint64_t WriteBytes(uint64_t bytes) {
  return bytes / kWriteShare / KvFile::kBlockBytes * KvFile::kBlockBytes;
}

uint64_t ReadBytes(uint64_t bytes) {
  return (bytes - WriteBytes(bytes)) / KvFile::kBlockBytes * KvFile::kBlockBytes;
}

}  // namespace

struct KvStream::Impl {
  // One layer of one frame on its way, either way.
  struct Transfer {
    const KvFrame* frame = nullptr;
    int64_t layer = 0;
    BlockRequest::Kind kind = BlockRequest::Kind::kRead;
    uint64_t offset = 0;
    std::span<std::byte> memory;
    uint64_t issued = 0;  // bytes asked for
    size_t under_way = 0;
    bool verified = false;
    bool released = false;
    int64_t start_nanos = 0;
    absl::Status status = {};

    bool arrived() const { return issued == memory.size() && under_way == 0; }
  };
  using Queue = std::deque<Transfer>;

  Impl(KvFile& file_in, const Options& options_in)
      : file(file_in),
        options(options_in),
        clock(options_in.clock != nullptr ? *options_in.clock : system_clock),
        read_ring(ReadBytes(options_in.bytes)),
        write_ring(WriteBytes(options_in.bytes)) {}

  absl::Status Open();
  void Pump();
  bool StartNextRead();
  void Issue(Queue& queue, uint64_t first_number, uint64_t& next_number);
  absl::Status CollectSome();
  void Collect();
  void Handle(const BlockCompletion& completion);
  void PopFinished();
  absl::Status Verify(Transfer& transfer);
  absl::Status ReadAgain(Transfer& transfer);
  absl::Status Drain();

  KvFile& file;
  const Options options;
  SystemClock system_clock;
  Clock& clock;
  ByteRing read_ring;
  ByteRing write_ring;
  AlignedBuffer memory;  // reads, then writes

  std::vector<const KvFrame*> frames;  // of the pass, in the file
  int64_t layers = 0;
  int64_t next_layer = 0;  // to begin reading
  size_t next_frame = 0;
  // In order; the numbers of their tags count up from these.
  Queue reads;
  Queue writes;
  uint64_t first_read = 0;
  uint64_t first_write = 0;
  uint64_t next_read = 0;
  uint64_t next_write = 0;
  size_t next_use = 0;        // in reads
  absl::Status write_status;  // of the pass
  bool stuck = false;         // the latest wait was in vain; the next ones are short
  uint64_t checksum_failures = 0;
  uint64_t io_errors = 0;
  uint64_t timeouts = 0;
  int64_t wait_nanos = 0;
  int64_t verify_nanos = 0;
  std::unique_ptr<BlockIo> io;  // last: it waits for transfers of the memory above
};

namespace {

// Reads have even tags, writes odd ones.
uint64_t MakeTag(uint64_t number, bool write) { return number * 2 + (write ? 1 : 0); }

}  // namespace

KvStream::KvStream(Key, std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KvStream::~KvStream() = default;

absl::StatusOr<std::unique_ptr<KvStream>> KvStream::Open(KvFile& file, const Options& options) {
  auto impl = std::make_unique<Impl>(file, options);
  LT_RETURN_IF_ERROR(Annotate(impl->Open(), "K/V stream"));
  return std::make_unique<KvStream>(Key(), std::move(impl));
}

uint64_t KvStream::LayerBytesMax(uint64_t bytes) { return ReadBytes(bytes) / 2; }
uint64_t KvStream::FrameBytesMax(uint64_t bytes) { return WriteBytes(bytes); }

absl::Status KvStream::Impl::Open() {
  if (options.bytes < kWriteShare * KvFile::kBlockBytes || options.request_bytes == 0 ||
      options.request_bytes % KvFile::kBlockBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.bytes, " bytes of memory in requests of ", options.request_bytes));
  }
  LT_ASSIGN_OR_RETURN(memory, AlignedBuffer::Allocate(read_ring.bytes() + write_ring.bytes(),
                                                      KvFile::kBlockBytes, options.populator));
  std::vector<std::span<std::byte>> buffers;
  for (uint64_t at = 0; at < memory.size(); at += kRegisteredMax) {
    buffers.push_back(memory.span().subspan(at, std::min(kRegisteredMax, memory.size() - at)));
  }
  const size_t depth =
      std::clamp<size_t>(memory.size() / options.request_bytes, kDepthMin, kDepthMax);
  LT_ASSIGN_OR_RETURN(OpenedBlockIo opened,
                      OpenBlockIo(file.file(), buffers, {.choice = options.io, .depth = depth}));
  io = std::move(opened.io);
  return absl::OkStatus();
}

absl::Status KvStream::Begin(std::vector<const KvFrame*> frames, int64_t layers) {
  Impl& s = *impl_;
  LT_RETURN_IF_ERROR(s.Drain());
  s.frames = std::move(frames);
  std::erase_if(s.frames, [](const KvFrame* frame) { return !frame->in_file(); });
  s.layers = layers;
  s.next_layer = 0;
  s.next_frame = 0;
  s.next_use = 0;
  s.write_status = absl::OkStatus();
  uint64_t layer_bytes = 0;
  for (const KvFrame* frame : s.frames) layer_bytes += frame->layout().file_layer_bytes();
  if (layer_bytes > LayerBytesMax(s.options.bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("K/V stream: a layer of the sweep is ",
                                                     layer_bytes, " bytes, at most ",
                                                     LayerBytesMax(s.options.bytes)));
  }
  s.Pump();
  return absl::OkStatus();
}

// Also of a pass that was dropped: memory is used again only when the kernel is done with it, and a
// late write must not meet the one that repeats it.
absl::Status KvStream::Impl::Drain() {
  for (Transfer& read : reads) {
    read.released = true;
    read.issued = read.memory.size();
  }
  frames.clear();
  layers = 0;
  while (io->in_flight() > 0 || !writes.empty()) {
    Issue(writes, first_write, next_write);
    LT_RETURN_IF_ERROR(CollectSome());
  }
  PopFinished();
  return absl::OkStatus();
}

void KvStream::Impl::Pump() {
  Collect();
  for (;;) {
    Issue(writes, first_write, next_write);
    Issue(reads, first_read, next_read);
    if (io->in_flight() == io->capacity() || !StartNextRead()) break;
  }
  io->Flush();
}

bool KvStream::Impl::StartNextRead() {
  if (frames.empty() || next_layer == layers) return false;
  const KvFrame* frame = frames[next_frame];
  const uint64_t bytes = frame->layout().file_layer_bytes();
  const std::optional<uint64_t> begin = read_ring.Take(bytes);
  if (!begin.has_value()) return false;
  reads.push_back({.frame = frame,
                   .layer = next_layer,
                   .offset = frame->file_offset(next_layer),
                   .memory = memory.span().subspan(*begin, bytes),
                   .start_nanos = clock.MonotonicNanos()});
  if (++next_frame == frames.size()) {
    next_frame = 0;
    ++next_layer;
  }
  return true;
}

// next_number: the first transfer that may not have been asked for in full.
void KvStream::Impl::Issue(Queue& queue, uint64_t first_number, uint64_t& next_number) {
  next_number = std::max(next_number, first_number);
  for (; next_number - first_number < queue.size(); ++next_number) {
    const size_t i = next_number - first_number;
    Transfer& transfer = queue[i];
    while (transfer.issued < transfer.memory.size() && io->in_flight() < io->capacity()) {
      const uint64_t bytes =
          std::min(options.request_bytes, transfer.memory.size() - transfer.issued);
      io->Submit({.tag = MakeTag(first_number + i, transfer.kind == BlockRequest::Kind::kWrite),
                  .offset = transfer.offset + transfer.issued,
                  .memory = transfer.memory.subspan(transfer.issued, bytes),
                  .kind = transfer.kind});
      transfer.issued += bytes;
      ++transfer.under_way;
    }
    if (transfer.issued < transfer.memory.size()) return;
  }
}

void KvStream::Impl::Collect() {
  while (std::optional<BlockCompletion> completion = io->Poll()) Handle(*completion);
  PopFinished();
}

absl::Status KvStream::Impl::CollectSome() {
  const int64_t start = clock.MonotonicNanos();
  const std::optional<BlockCompletion> completion =
      io->Wait(stuck ? kStuckWaitNanos : options.timeout_nanos);
  const int64_t end = clock.MonotonicNanos();
  wait_nanos += end - start;
  if (options.trace != nullptr) options.trace->Span("kv wait", "wait for the disk", start, end);
  if (!completion.has_value()) {
    stuck = true;
    ++timeouts;
    return absl::UnavailableError(absl::StrCat(
        file.file().file->path(), ": the disk does not answer, ", io->in_flight(),
        " transfers are under way; waited ", NanosToSeconds(options.timeout_nanos), " s"));
  }
  Handle(*completion);
  Collect();
  return absl::OkStatus();
}

void KvStream::Impl::Handle(const BlockCompletion& completion) {
  stuck = false;
  const bool write = completion.tag % 2 == 1;
  const uint64_t number = completion.tag / 2;
  Transfer& transfer = write ? writes[number - first_write] : reads[number - first_read];
  --transfer.under_way;
  if (!completion.status.ok()) ++io_errors;
  transfer.status.Update(completion.status);
  if (write) write_status.Update(completion.status);
  if (options.trace != nullptr && transfer.arrived()) {
    options.trace->Span(write ? "kv write" : "kv read", absl::StrCat("layer ", transfer.layer),
                        transfer.start_nanos, clock.MonotonicNanos(),
                        absl::StrCat(transfer.memory.size(), " bytes"));
  }
}

void KvStream::Impl::PopFinished() {
  while (!reads.empty() && reads.front().released && reads.front().under_way == 0) {
    reads.pop_front();
    read_ring.GiveOldest();
    ++first_read;
    if (next_use > 0) --next_use;
  }
  while (!writes.empty() && writes.front().arrived()) {
    writes.pop_front();
    write_ring.GiveOldest();
    ++first_write;
  }
}

absl::StatusOr<std::span<const std::byte>> KvStream::Await(const KvFrame& frame, int64_t layer) {
  Impl& s = *impl_;
  s.Pump();
  while (s.reads.size() <= s.next_use) {
    LT_RETURN_IF_ERROR(s.CollectSome());
    s.Pump();
  }
  LT_CHECK(s.reads[s.next_use].frame == &frame && s.reads[s.next_use].layer == layer);
  while (!s.reads[s.next_use].arrived() && s.reads[s.next_use].status.ok()) {
    LT_RETURN_IF_ERROR(s.CollectSome());
    s.Pump();
  }
  Impl::Transfer& read = s.reads[s.next_use];
  LT_RETURN_IF_ERROR(read.status);
  LT_RETURN_IF_ERROR(s.Verify(read));
  ++s.next_use;
  return std::span<const std::byte>(read.memory);
}

absl::Status KvStream::Impl::Verify(Transfer& transfer) {
  const auto matches = [&] {
    const int64_t start = clock.MonotonicNanos();
    const bool same = Crc32c(transfer.memory) == transfer.frame->checksum(transfer.layer);
    verify_nanos += clock.MonotonicNanos() - start;
    return same;
  };
  if (matches()) return absl::OkStatus();
  ++checksum_failures;
  LT_RETURN_IF_ERROR(ReadAgain(transfer));
  if (matches()) return absl::OkStatus();
  ++checksum_failures;
  return Error(Reason::kKvFileCorrupt, absl::StrCat(file.file().file->path(), ": K/V of layer ",
                                                    transfer.layer, " at byte ", transfer.offset,
                                                    ": CRC32C differs, also when read again"));
}

absl::Status KvStream::Impl::ReadAgain(Transfer& transfer) {
  transfer.issued = 0;
  next_read = first_read + next_use;
  while (!transfer.arrived()) {
    Issue(reads, first_read, next_read);
    LT_RETURN_IF_ERROR(CollectSome());
  }
  return transfer.status;
}

void KvStream::EndLayer(int64_t layer) {
  Impl& s = *impl_;
  if (s.frames.empty()) return;
  for (size_t i = 0; i < s.reads.size(); ++i) {
    Impl::Transfer& read = s.reads[i];
    if (read.layer > layer) break;
    if (!read.released) {
      read.released = true;
      read.issued = read.memory.size();  // what was not asked for never will be
      s.next_use = std::max(s.next_use, i + 1);
    }
  }
  // Those that were not even begun.
  if (s.next_layer <= layer) {
    s.next_layer = layer + 1;
    s.next_frame = 0;
  }
  s.Pump();
}

absl::Status KvStream::Write(KvFrame& frame, int64_t layer, const float* k, const float* v) {
  Impl& s = *impl_;
  const uint64_t bytes = frame.layout().file_layer_bytes();
  LT_RETURN_IF_ERROR(s.write_status);
  std::optional<uint64_t> begin;
  while (!(begin = s.write_ring.Take(bytes)).has_value()) {
    if (s.write_ring.empty()) {
      return absl::ResourceExhaustedError(absl::StrCat("K/V stream: a layer of a frame is ", bytes,
                                                       " bytes, there is room for ",
                                                       s.write_ring.bytes()));
    }
    LT_RETURN_IF_ERROR(s.CollectSome());
    s.Pump();
    LT_RETURN_IF_ERROR(s.write_status);
  }
  const std::span<std::byte> memory = s.memory.span().subspan(s.read_ring.bytes() + *begin, bytes);
  frame.Encode(k, v, memory);
  const int64_t start = s.clock.MonotonicNanos();
  frame.set_checksum(layer, Crc32c(memory));
  s.verify_nanos += s.clock.MonotonicNanos() - start;
  s.writes.push_back({.frame = &frame,
                      .layer = layer,
                      .kind = BlockRequest::Kind::kWrite,
                      .offset = frame.file_offset(layer),
                      .memory = memory,
                      .start_nanos = start});
  s.Pump();
  return absl::OkStatus();
}

absl::Status KvStream::Finish() {
  Impl& s = *impl_;
  while (!s.writes.empty()) {
    LT_RETURN_IF_ERROR(s.CollectSome());
    s.Pump();
  }
  return s.write_status;
}

KvStream::Stats KvStream::stats() const {
  const BlockIoStats& io = impl_->io->stats();
  return {.bytes_read = io.bytes_read,
          .bytes_written = io.bytes_written,
          .short_transfers = io.short_transfers,
          .retries = io.retries,
          .checksum_failures = impl_->checksum_failures,
          .io_errors = impl_->io_errors,
          .timeouts = impl_->timeouts,
          .wait_seconds = NanosToSeconds(impl_->wait_nanos),
          .verify_seconds = NanosToSeconds(impl_->verify_nanos)};
}

uint64_t KvStream::layer_bytes_max() const { return LayerBytesMax(impl_->options.bytes); }
uint64_t KvStream::frame_bytes_max() const { return FrameBytesMax(impl_->options.bytes); }

}  // namespace longtake
