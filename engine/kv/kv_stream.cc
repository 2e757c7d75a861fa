// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_stream.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/checksum.h"
#include "base/error_reason.h"
#include "storage/io/transfer_queue.h"
#include "storage/scratch/byte_ring.h"

namespace longtake {
namespace {

constexpr uint64_t kWriteShare = 8;
// The kernel registers at most 1 GiB as one buffer.
constexpr uint64_t kRegisteredMax = 512 << 20;

uint64_t WriteBytes(uint64_t bytes) {
  return bytes / kWriteShare / ScratchFile::kBlockBytes * ScratchFile::kBlockBytes;
}

uint64_t ReadBytes(uint64_t bytes) {
  return (bytes - WriteBytes(bytes)) / ScratchFile::kBlockBytes * ScratchFile::kBlockBytes;
}

}  // namespace

struct KvStream::Impl {
  // One layer of one frame, read ahead.
  struct Read {
    const KvExtent* frame = nullptr;
    int64_t layer = 0;
    TransferQueue::Transfer* transfer = nullptr;
  };

  Impl(ScratchFile& file_in, const Options& options_in)
      : file(file_in),
        options(options_in),
        clock(options_in.clock != nullptr ? *options_in.clock : system_clock),
        read_ring(ReadBytes(options_in.bytes)),
        write_ring(WriteBytes(options_in.bytes)) {}

  // One layer of one frame, written and lent.
  struct Lent {
    uint64_t begin = 0;  // in the ring
    bool written = false;
  };

  absl::Status Open(Device& device);
  absl::Status Begin(std::vector<const KvExtent*> wanted, int64_t layer_count);
  absl::StatusOr<std::span<const std::byte>> Await(const KvExtent& frame, int64_t layer);
  void EndLayer(int64_t layer);
  absl::Status Finish();
  bool StartNextRead();
  absl::StatusOr<std::span<const std::byte>> Write(KvExtent& frame, int64_t layer, Store store,
                                                   bool lend);
  void Written(uint64_t begin);
  void EndLending();
  absl::Status Drain();
  bool Matches(const Read& read);
  absl::Status Verify(const Read& read);

  ScratchFile& file;
  const Options options;
  SystemClock system_clock;
  Clock& clock;
  ByteRing read_ring;
  ByteRing write_ring;
  AlignedBuffer memory;  // reads, then writes

  std::vector<const KvExtent*> frames;  // of the sweep
  int64_t layers = 0;
  int64_t next_layer = 0;  // to begin reading
  size_t next_frame = 0;
  std::deque<Read> reads;     // in the order of use, until their layer has ended
  size_t next_use = 0;        // in reads
  std::vector<Lent> lent;     // of the current layer
  absl::Status write_status;  // of the sweep
  uint64_t checksum_failures = 0;
  int64_t verify_nanos = 0;
  std::optional<TransferQueue> queue;  // last: it waits for transfers of the memory above
};

KvStream::KvStream(Key, std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KvStream::~KvStream() = default;

absl::StatusOr<std::unique_ptr<KvStream>> KvStream::Open(Device& device, ScratchFile& file,
                                                         const Options& options) {
  auto impl = std::make_unique<Impl>(file, options);
  LT_RETURN_IF_ERROR(Annotate(impl->Open(device), "K/V stream"));
  return std::make_unique<KvStream>(Key(), std::move(impl));
}

uint64_t KvStream::LayerBytesMax(uint64_t bytes) { return ReadBytes(bytes) / 2; }
uint64_t KvStream::FrameBytesMax(uint64_t bytes) { return WriteBytes(bytes); }

absl::Status KvStream::Impl::Open(Device& device) {
  if (options.bytes < kWriteShare * ScratchFile::kBlockBytes || options.request_bytes == 0 ||
      options.request_bytes % ScratchFile::kBlockBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.bytes, " bytes of memory in requests of ", options.request_bytes));
  }
  LT_ASSIGN_OR_RETURN(
      memory, device.AllocatePinned(read_ring.bytes() + write_ring.bytes(), options.populator));
  std::vector<std::span<std::byte>> buffers;
  for (uint64_t at = 0; at < memory.size(); at += kRegisteredMax) {
    buffers.push_back(memory.span().subspan(at, std::min(kRegisteredMax, memory.size() - at)));
  }
  const size_t depth = TransferQueue::Depth(memory.size() / options.request_bytes);
  LT_ASSIGN_OR_RETURN(OpenedBlockIo opened,
                      OpenBlockIo(file.file(), buffers, {.choice = options.io, .depth = depth}));
  queue.emplace(std::move(opened.io),
                TransferQueue::Options{.request_bytes = options.request_bytes,
                                       .timeout_nanos = options.timeout_nanos,
                                       .add_next = [this] { return StartNextRead(); },
                                       .clock = &clock,
                                       .trace = options.trace,
                                       .trace_name = "kv"});
  return absl::OkStatus();
}

absl::Status KvStream::Impl::Begin(std::vector<const KvExtent*> wanted, int64_t layer_count) {
  LT_RETURN_IF_ERROR(Drain());
  write_status = absl::OkStatus();
  uint64_t layer_bytes = 0;
  for (const KvExtent* frame : wanted) layer_bytes += frame->layout().file_layer_bytes();
  if (layer_bytes > LayerBytesMax(options.bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("K/V stream: a layer of the sweep is ",
                                                     layer_bytes, " bytes, at most ",
                                                     LayerBytesMax(options.bytes)));
  }
  frames = std::move(wanted);
  layers = layer_count;
  next_layer = 0;
  next_frame = 0;
  queue->Pump();
  return absl::OkStatus();
}

// Also of a sweep that was dropped: memory is used again only when the kernel is done with it, and
// a late write must not meet the one that repeats it.
absl::Status KvStream::Impl::Drain() {
  for (const Read& read : reads) queue->Drop(*read.transfer);
  reads.clear();
  next_use = 0;
  frames.clear();
  EndLending();
  return queue->Await([this] { return queue->io().in_flight() == 0; });
}

bool KvStream::Impl::StartNextRead() {
  if (frames.empty() || next_layer == layers) return false;
  const KvExtent* frame = frames[next_frame];
  const uint64_t bytes = frame->layout().file_layer_bytes();
  const std::optional<uint64_t> begin = read_ring.Take(bytes);
  if (!begin.has_value()) return false;
  TransferQueue::Transfer& transfer =
      queue->Add({.offset = frame->file_offset(next_layer),
                  .memory = memory.span().subspan(*begin, bytes),
                  .track = "kv read",
                  .trace_name = absl::StrCat("layer ", next_layer),
                  .done = [this, begin](const absl::Status&) { read_ring.Give(*begin); }});
  reads.push_back({.frame = frame, .layer = next_layer, .transfer = &transfer});
  if (++next_frame == frames.size()) {
    next_frame = 0;
    ++next_layer;
  }
  return true;
}

absl::StatusOr<std::span<const std::byte>> KvStream::Impl::Await(const KvExtent& frame,
                                                                 int64_t layer) {
  LT_RETURN_IF_ERROR(queue->Await(
      [this] { return next_use < reads.size() && reads[next_use].transfer->settled(); }));
  const Read& read = reads[next_use];
  LT_CHECK(read.frame == &frame && read.layer == layer);
  LT_RETURN_IF_ERROR(Verify(read));
  ++next_use;
  return std::span<const std::byte>(read.transfer->memory());
}

bool KvStream::Impl::Matches(const Read& read) {
  const int64_t start = clock.MonotonicNanos();
  const bool same = Crc32c(read.transfer->memory()) == read.frame->checksum(read.layer);
  verify_nanos += clock.MonotonicNanos() - start;
  if (!same) ++checksum_failures;
  return same;
}

absl::Status KvStream::Impl::Verify(const Read& read) {
  LT_RETURN_IF_ERROR(read.transfer->status());
  if (Matches(read)) return absl::OkStatus();
  LT_RETURN_IF_ERROR(queue->ReadAgain(*read.transfer, 0, read.transfer->memory().size()));
  if (Matches(read)) return absl::OkStatus();
  return Error(
      Reason::kKvFileCorrupt,
      absl::StrCat(file.file().file->path(), ": K/V of layer ", read.layer, " at byte ",
                   read.frame->file_offset(read.layer), ": CRC32C differs, also when read again"));
}

void KvStream::Impl::EndLayer(int64_t layer) {
  while (!reads.empty() && reads.front().layer <= layer) {
    queue->Drop(*reads.front().transfer);
    reads.pop_front();
    if (next_use > 0) --next_use;
  }
  // Those that were not even begun.
  if (next_layer <= layer) {
    next_layer = layer + 1;
    next_frame = 0;
  }
  EndLending();
  queue->Pump();
}

// Room in the ring comes back when the disk has the bytes and nobody reads them.
void KvStream::Impl::Written(uint64_t begin) {
  for (Lent& piece : lent) {
    if (piece.begin != begin) continue;
    piece.written = true;
    return;
  }
  write_ring.Give(begin);
}

void KvStream::Impl::EndLending() {
  for (const Lent& piece : std::exchange(lent, {})) {
    if (piece.written) write_ring.Give(piece.begin);
  }
}

absl::StatusOr<std::span<const std::byte>> KvStream::Impl::Write(KvExtent& frame, int64_t layer,
                                                                 Store store, bool lend) {
  const uint64_t bytes = frame.layout().file_layer_bytes();
  if (bytes > write_ring.bytes()) {
    return absl::ResourceExhaustedError(absl::StrCat("K/V stream: a layer of a frame is ", bytes,
                                                     " bytes, there is room for ",
                                                     write_ring.bytes()));
  }
  std::optional<uint64_t> begin;
  LT_RETURN_IF_ERROR(queue->Await([&] {
    if (!write_status.ok() || (begin = write_ring.Take(bytes)).has_value()) return true;
    return queue->io().in_flight() == 0;  // nothing more will come back
  }));
  LT_RETURN_IF_ERROR(write_status);
  if (!begin.has_value()) {
    return absl::ResourceExhaustedError("K/V stream: what is lent of a layer leaves no room");
  }
  const std::span<std::byte> piece = memory.span().subspan(read_ring.bytes() + *begin, bytes);
  if (absl::Status stored = store(piece); !stored.ok()) {
    write_ring.Give(*begin);
    return stored;
  }
  const int64_t start = clock.MonotonicNanos();
  frame.set_checksum(layer, Crc32c(piece));
  verify_nanos += clock.MonotonicNanos() - start;
  queue->Add({.kind = BlockRequest::Kind::kWrite,
              .offset = frame.file_offset(layer),
              .memory = piece,
              .track = "kv write",
              .trace_name = absl::StrCat("layer ", layer),
              .done = [this, begin](const absl::Status& status) {
                write_status.Update(status);
                Written(*begin);
              }});
  if (lend) lent.push_back({.begin = *begin});
  queue->Pump();
  return std::span<const std::byte>(piece);
}

absl::Status KvStream::Impl::Finish() {
  LT_RETURN_IF_ERROR(queue->Await([this] { return write_ring.empty(); }));
  return write_status;
}

absl::Status KvStream::Begin(std::vector<const KvExtent*> frames, int64_t layers) {
  return impl_->Begin(std::move(frames), layers);
}

absl::StatusOr<std::span<const std::byte>> KvStream::Await(const KvExtent& frame, int64_t layer) {
  return impl_->Await(frame, layer);
}

void KvStream::EndLayer(int64_t layer) { impl_->EndLayer(layer); }

absl::Status KvStream::Write(KvExtent& frame, int64_t layer, Store store) {
  return impl_->Write(frame, layer, store, /*lend=*/false).status();
}

absl::StatusOr<std::span<const std::byte>> KvStream::WriteAndLend(KvExtent& frame, int64_t layer,
                                                                  Store store) {
  return impl_->Write(frame, layer, store, /*lend=*/true);
}

absl::Status KvStream::Finish() { return impl_->Finish(); }

void KvStream::Stats::Add(const Stats& other) {
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  short_transfers += other.short_transfers;
  retries += other.retries;
  checksum_failures += other.checksum_failures;
  io_errors += other.io_errors;
  timeouts += other.timeouts;
  wait_seconds += other.wait_seconds;
  verify_seconds += other.verify_seconds;
}

KvStream::Stats KvStream::stats() const {
  const BlockIoStats& io = impl_->queue->io().stats();
  const TransferQueue::Stats& queue = impl_->queue->stats();
  return {.bytes_read = io.bytes_read,
          .bytes_written = io.bytes_written,
          .short_transfers = io.short_transfers,
          .retries = io.retries,
          .checksum_failures = impl_->checksum_failures,
          .io_errors = queue.io_errors,
          .timeouts = queue.timeouts,
          .wait_seconds = NanosToSeconds(queue.wait_nanos),
          .verify_seconds = NanosToSeconds(impl_->verify_nanos)};
}

uint64_t KvStream::lend_bytes_max(uint64_t frame_bytes) const {
  const uint64_t room = impl_->write_ring.bytes();
  return frame_bytes > room ? 0 : room - frame_bytes;
}
uint64_t KvStream::layer_bytes_max() const { return LayerBytesMax(impl_->options.bytes); }
uint64_t KvStream::frame_bytes_max() const { return FrameBytesMax(impl_->options.bytes); }

}  // namespace longtake
