// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/layer_stream.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "storage/io/transfer_queue.h"
#include "storage/stream/part_fetcher.h"
#include "storage/stream/stream_plan.h"

namespace longtake {
namespace {

struct OpenedPack {
  BlockFile file;
  OpenedBlockIo io;
};

struct IoNeeds {
  std::vector<std::span<std::byte>> slots;
  size_t depth = 0;
};

absl::StatusOr<OpenedPack> OpenPack(const PackReader& pack, const std::string& path,
                                    const LayerStream::Options& options, const IoNeeds& needs) {
  OpenedPack out;
  LT_ASSIGN_OR_RETURN(out.file, OpenBlockFile([&](ReadMode mode) {
                        return pack.file_system().OpenRead(path, mode);
                      }));
  // Another pack may have been put under this name since its table was read.
  LT_ASSIGN_OR_RETURN(const uint64_t file_bytes, out.file.file->Size());
  if (file_bytes != pack.header().file_bytes) {
    return absl::DataLossError(path + ": its size changed since it was opened");
  }
  LT_ASSIGN_OR_RETURN(out.io, OpenBlockIo(out.file, needs.slots,
                                          {.choice = options.io,
                                           .depth = needs.depth,
                                           .thread_count = options.pread_thread_count}));
  return out;
}

uint64_t RequestBytes(const PackReader& pack, const LayerStream::Options& options) {
  const uint64_t crc_block_bytes = pack.header().crc_block_bytes;
  return std::max<uint64_t>(options.request_bytes / crc_block_bytes, 1) * crc_block_bytes;
}

absl::Status CheckOptions(const PackReader& pack, const LayerStream::Options& options) {
  if (pack.layer_count() == 0) return absl::InvalidArgumentError(pack.path() + ": has no layers");
  const LayerRange layers = options.layers.Of(static_cast<int64_t>(pack.layer_count()));
  if (layers.first < 0 || layers.count() < 1) {
    return absl::InvalidArgumentError(absl::StrCat(pack.path(), ": layers ", layers.first, " to ",
                                                   layers.end - 1, " of ", pack.layer_count()));
  }
  if (options.pread_thread_count == 0) {
    return absl::InvalidArgumentError("layer stream: pread_thread_count is above 0");
  }
  if (options.read_timeout_nanos <= 0) {
    return absl::InvalidArgumentError("layer stream: read_timeout_nanos is above 0");
  }
  if (options.request_bytes == 0 || options.request_bytes > (1u << 30)) {
    return absl::InvalidArgumentError("layer stream: request_bytes is not in 1 .. 1 GiB");
  }
  return absl::OkStatus();
}

}  // namespace

struct LayerStream::Impl {
  Impl(const PackReader& pack_in, StreamPlan plan_in, const Options& options)
      : pack(pack_in),
        plan(std::move(plan_in)),
        fetcher(pack, plan,
                {.request_bytes = RequestBytes(pack, options),
                 .verify_every_sweep = options.verify == Verify::kEverySweep,
                 .read_timeout_nanos = options.read_timeout_nanos,
                 .workers = options.workers,
                 .trace = options.trace,
                 .trace_name = options.trace_name,
                 .populator = options.populator,
                 .allocate = options.allocate},
                options.clock != nullptr ? *options.clock : system_clock) {}

  // Of the lease.
  size_t layer_number() const { return static_cast<size_t>(plan.layers.first) + layer; }
  const LayerInfo& layer_info() const { return pack.layer(layer_number()); }

  // The next layer becomes the lease's, as soon as it has begun to arrive.
  absl::Status BeginLease();
  absl::StatusOr<TensorView> Tensor(size_t index);
  // what names it in errors.
  absl::StatusOr<std::span<const std::byte>> Part(size_t wanted, const std::string& what);
  std::string Name(const char* kind, size_t index) const {
    return absl::StrCat(pack.path(), ": layer ", layer_number(), ": ", kind, " ", index);
  }
  void EndLease();
  void Rewind();
  Stats ReadStats() const;
  // Of a path that was opened. What all have in common is said once.
  void Describe(const OpenedBlockIo& io);

  const PackReader& pack;
  const StreamPlan plan;
  SystemClock system_clock;
  std::vector<std::unique_ptr<File>> files;  // before the fetcher, whose readers use them
  PartFetcher fetcher;
  std::string io_name;
  std::string io_reason;

  size_t next_layer = 0;
  bool leased = false;
  size_t layer = 0;                   // of the lease, within the range
  size_t part = 0;                    // the earliest not yet given back
  std::span<const std::byte> memory;  // of that part, once verified
  absl::Status error;                 // until Rewind
  uint64_t sweeps_done = 0;
};

absl::Status LayerStream::Impl::BeginLease() {
  LT_RETURN_IF_ERROR(error);
  if (leased) return absl::FailedPreconditionError("layer stream: the lease before still lives");
  layer = next_layer;
  next_layer = (next_layer + 1) % static_cast<size_t>(plan.layers.count());
  part = 0;
  memory = {};
  if (absl::Status status = fetcher.AwaitBegin(plan.first_unit[layer]); !status.ok()) {
    return error = status;
  }
  leased = true;
  return absl::OkStatus();
}

absl::StatusOr<TensorView> LayerStream::Impl::Tensor(size_t index) {
  const LayerInfo& info = layer_info();
  size_t wanted = 0;
  size_t in_part = index;
  while (wanted < info.parts.size() && in_part >= info.parts[wanted].tensors.size()) {
    in_part -= info.parts[wanted++].tensors.size();
  }
  LT_ASSIGN_OR_RETURN(const auto bytes, Part(wanted, Name("tensor", index)));
  const TensorInfo& tensor = info.parts[wanted].tensors[in_part];
  return TensorView{.name = tensor.name,
                    .dtype = tensor.dtype,
                    .shape = tensor.shape,
                    .data = bytes.data() + tensor.offset,
                    .bytes = tensor.bytes};
}

absl::StatusOr<std::span<const std::byte>> LayerStream::Impl::Part(size_t wanted,
                                                                   const std::string& what) {
  LT_RETURN_IF_ERROR(error);
  const LayerInfo& info = layer_info();
  if (wanted >= info.parts.size()) {
    return absl::OutOfRangeError(what + " of " + std::to_string(info.tensor_count()));
  }
  if (wanted < part) return absl::FailedPreconditionError(what + " was given back already");
  const size_t first_unit = plan.first_unit[layer];
  for (; part < wanted; ++part) {
    fetcher.Release(first_unit + part);
    memory = {};
  }
  if (memory.empty()) {
    absl::StatusOr<std::span<const std::byte>> fetched = fetcher.Await(first_unit + part);
    if (!fetched.ok()) return error = fetched.status();
    memory = *fetched;
  } else {
    fetcher.Pump();
  }
  return memory;
}

void LayerStream::Impl::EndLease() {
  for (; part < layer_info().parts.size(); ++part) {
    fetcher.Release(plan.first_unit[layer] + part);
  }
  memory = {};
  leased = false;
  if (error.ok() && next_layer == 0) ++sweeps_done;
  fetcher.Pump();
}

void LayerStream::Impl::Rewind() {
  LT_CHECK(!leased);
  if (error.ok() && next_layer == 0) return;
  error = absl::OkStatus();
  next_layer = 0;
  fetcher.Restart();
  fetcher.Pump();
}

LayerStream::Stats LayerStream::Impl::ReadStats() const {
  const PartFetcherStats fetched = fetcher.stats();
  Stats out = {.checksum_failures = fetched.checksum_failures,
               .io_errors = fetched.io_errors,
               .read_timeouts = fetched.read_timeouts,
               .sweeps_done = sweeps_done,
               .wait_seconds = NanosToSeconds(fetched.wait_nanos),
               .verify_seconds = NanosToSeconds(fetched.verify_nanos)};
  for (const TransferQueue& queue : fetcher.queues()) {
    const BlockIoStats& read = queue.io().stats();
    out.bytes_read += read.bytes_read;
    out.reads += read.reads;
    out.short_reads += read.short_transfers;
    out.retries += read.retries;
    out.in_flight += queue.io().in_flight();
  }
  return out;
}

void LayerStream::Impl::Describe(const OpenedBlockIo& io) {
  const auto add = [](const std::string& what, std::string& to) {
    if (absl::StrContains(to, what)) return;
    absl::StrAppend(&to, to.empty() ? "" : ", ", what);
  };
  add(io.name, io_name);
  add(io.reason, io_reason);
}

LayerStream::LayerStream(Key, std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LayerStream::~LayerStream() { LT_CHECK(!impl_->leased); }

absl::StatusOr<std::unique_ptr<LayerStream>> LayerStream::Open(const PackReader& pack,
                                                               const Options& options) {
  LT_RETURN_IF_ERROR(CheckOptions(pack, options));
  StreamPlan plan = PlanStream(pack, options.slot_count, options.kept_bytes_max, options.layers);
  auto impl = std::make_unique<Impl>(pack, std::move(plan), options);
  LT_RETURN_IF_ERROR(Annotate(impl->fetcher.Allocate(), pack.path() + ": layer stream"));
  IoNeeds needs = {.slots = impl->fetcher.slot_memory(), .depth = options.queue_depth};
  if (needs.depth == 0) {
    const uint64_t per_slot = CeilDiv(impl->plan.slot_bytes, RequestBytes(pack, options));
    needs.depth = TransferQueue::Depth(impl->plan.slot_count * per_slot);
  }
  std::vector<std::unique_ptr<BlockIo>> readers;
  for (const std::string& path : pack.layer_files()) {
    LT_ASSIGN_OR_RETURN(OpenedPack opened, OpenPack(pack, path, options, needs));
    impl->Describe(opened.io);
    impl->files.push_back(std::move(opened.file.file));
    readers.push_back(std::move(opened.io.io));
  }
  // Reading begins with the first Next: the kernel cancels the reads of a thread that ends, and the
  // thread that opens need not be the one that sweeps.
  impl->fetcher.Start(std::move(readers));
  return std::make_unique<LayerStream>(Key(), std::move(impl));
}

std::vector<PathStats> LayerStream::path_stats() const {
  std::vector<PathStats> out;
  for (const std::string& file : impl_->pack.layer_files()) out.push_back({.file = file});
  ReadPathStats(out);
  return out;
}

void LayerStream::ReadPathStats(std::span<PathStats> paths) const {
  const std::deque<TransferQueue>& queues = impl_->fetcher.queues();
  LT_CHECK(paths.size() == queues.size());
  for (size_t i = 0; i < queues.size(); ++i) {
    paths[i].bytes_read = queues[i].io().stats().bytes_read;
    paths[i].wait_seconds = NanosToSeconds(queues[i].stats().wait_nanos);
  }
}

size_t LayerStream::disk_count() const { return impl_->plan.disk_count(); }

uint64_t LayerStream::MemoryBytes(const PackReader& pack, const Options& options) {
  return PlanStream(pack, options.slot_count, options.kept_bytes_max, options.layers)
      .memory_bytes();
}

absl::StatusOr<LayerLease> LayerStream::Next() {
  LT_RETURN_IF_ERROR(impl_->BeginLease());
  return LayerLease(this);
}

void LayerStream::Rewind() { impl_->Rewind(); }
bool LayerStream::failed() const { return !impl_->error.ok(); }
LayerStream::Stats LayerStream::stats() const { return impl_->ReadStats(); }
const LayerRange& LayerStream::layers() const { return impl_->plan.layers; }
size_t LayerStream::layer_count() const { return static_cast<size_t>(impl_->plan.layers.count()); }
uint64_t LayerStream::memory_bytes() const { return impl_->plan.memory_bytes(); }
const std::vector<bool>& LayerStream::kept() const { return impl_->plan.kept; }
uint64_t LayerStream::bytes_per_sweep() const { return impl_->plan.bytes_per_sweep; }
std::string LayerStream::io_name() const { return impl_->io_name; }
std::string LayerStream::io_reason() const { return impl_->io_reason; }

LayerLease& LayerLease::operator=(LayerLease&& other) noexcept {
  if (this != &other) {
    if (stream_ != nullptr) stream_->impl_->EndLease();
    stream_ = std::exchange(other.stream_, nullptr);
  }
  return *this;
}

LayerLease::~LayerLease() {
  if (stream_ != nullptr) stream_->impl_->EndLease();
}

size_t LayerLease::layer() const { return stream_->impl_->layer_number(); }

size_t LayerLease::tensor_count() const { return stream_->impl_->layer_info().tensor_count(); }

absl::StatusOr<TensorView> LayerLease::Tensor(size_t index) {
  return stream_->impl_->Tensor(index);
}

const LayerInfo& LayerLease::info() const { return stream_->impl_->layer_info(); }

absl::StatusOr<std::span<const std::byte>> LayerLease::Part(size_t index) {
  return stream_->impl_->Part(index, stream_->impl_->Name("part", index));
}

}  // namespace longtake
