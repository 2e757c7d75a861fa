// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the layer stream's way of reading costs beside the system calls below it: all layers of a
// pack, read directly from the disk, by
//   stream   LayerStream over TransferQueue, in slots, checksums left out, as it is served
//   uring    io_uring alone: a ring kept full of requests of the same size, nothing else
//   pread    one thread, one request after the other
//
// usage: longtake_transfer_bench PACK [Google Benchmark's options]
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "base/aligned_buffer.h"
#include "storage/io/transfer_queue.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"

namespace longtake {
namespace {

constexpr uint64_t kRequestBytes = 1 << 20;
constexpr size_t kSlots = 3;
constexpr uint64_t kAlignment = 4096;

const PackReader* pack = nullptr;

// Where the layers lie in the file: one range, as they follow each other.
struct Range {
  uint64_t begin = UINT64_MAX;
  uint64_t end = 0;
};

Range LayersRange() {
  Range range;
  for (size_t i = 0; i < pack->layer_count(); ++i) {
    for (const PartInfo& part : pack->layer(i).parts) {
      const uint64_t offset = pack->header().payload_offset + part.offset;
      range.begin = std::min(range.begin, offset);
      range.end = std::max(range.end, offset + part.bytes);
    }
  }
  range.end = (range.end + kAlignment - 1) / kAlignment * kAlignment;
  return range;
}

// As many requests under way as the stream's slots hold.
size_t Depth() {
  const LayerStream::Options options = {.slot_count = kSlots};
  return TransferQueue::Depth(LayerStream::MemoryBytes(*pack, options) / kRequestBytes);
}

int OpenDirect() {
  const int fd = ::open(pack->path().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  LT_CHECK(fd >= 0);
  return fd;
}

void Stream(benchmark::State& state) {
  const auto io = static_cast<IoChoice>(state.range(0));
  auto stream = LayerStream::Open(*pack, {.slot_count = kSlots,
                                          .request_bytes = kRequestBytes,
                                          .io = io,
                                          .verify = LayerStream::Verify::kFirstTouch});
  if (!stream.ok()) return state.SkipWithError(std::string(stream.status().message()).c_str());
  state.SetLabel((*stream)->io_name());
  const auto sweep = [&] {
    for (size_t layer = 0; layer < (*stream)->layer_count(); ++layer) {
      auto lease = (*stream)->Next();
      LT_CHECK(lease.ok());
      for (size_t i = 0; i < lease->tensor_count(); ++i) LT_CHECK(lease->Tensor(i).ok());
    }
  };
  sweep();  // the one that verifies
  for (auto _ : state) sweep();
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>((*stream)->bytes_per_sweep()));
}

// Request n goes to the memory of the request that was answered.
class Ring {
 public:
  explicit Ring(size_t depth) : depth_(depth), fd_(OpenDirect()) {
    memory_ = *AlignedBuffer::Allocate(depth * kRequestBytes, kAlignment);
    LT_CHECK(io_uring_queue_init(static_cast<unsigned>(depth), &ring_, 0) == 0);
    iovec all = {.iov_base = memory_.data(), .iov_len = memory_.size()};
    registered_ = io_uring_register_buffers(&ring_, &all, 1) == 0;
  }
  ~Ring() {
    io_uring_queue_exit(&ring_);
    ::close(fd_);
  }

  void Read(const Range& range) {
    next_ = range.begin;
    for (size_t i = 0; i < depth_ && next_ < range.end; ++i) Ask(i, range);
    while (under_way_ > 0) {
      io_uring_cqe* answer = nullptr;
      LT_CHECK(io_uring_submit_and_wait(&ring_, 1) >= 0);
      while (io_uring_peek_cqe(&ring_, &answer) == 0) {
        LT_CHECK(answer->res > 0);
        const auto slot = static_cast<size_t>(io_uring_cqe_get_data64(answer));
        io_uring_cqe_seen(&ring_, answer);
        --under_way_;
        if (next_ < range.end) Ask(slot, range);
      }
    }
  }

 private:
  void Ask(size_t slot, const Range& range) {
    std::byte* to = memory_.data() + slot * kRequestBytes;
    const auto bytes = static_cast<unsigned>(std::min(kRequestBytes, range.end - next_));
    io_uring_sqe* request = io_uring_get_sqe(&ring_);
    if (registered_) {
      io_uring_prep_read_fixed(request, fd_, to, bytes, next_, 0);
    } else {
      io_uring_prep_read(request, fd_, to, bytes, next_);
    }
    io_uring_sqe_set_data64(request, slot);
    next_ += bytes;
    ++under_way_;
  }

  const size_t depth_;
  const int fd_;
  AlignedBuffer memory_;
  io_uring ring_ = {};
  bool registered_ = false;
  uint64_t next_ = 0;
  size_t under_way_ = 0;
};

void Uring(benchmark::State& state) {
  const Range range = LayersRange();
  Ring ring(Depth());
  for (auto _ : state) ring.Read(range);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(range.end - range.begin));
}

void Pread(benchmark::State& state) {
  const Range range = LayersRange();
  const int fd = OpenDirect();
  AlignedBuffer memory = *AlignedBuffer::Allocate(kRequestBytes, kAlignment);
  for (auto _ : state) {
    for (uint64_t at = range.begin; at < range.end; at += kRequestBytes) {
      const uint64_t bytes = std::min(kRequestBytes, range.end - at);
      LT_CHECK(::pread(fd, memory.data(), bytes, static_cast<off_t>(at)) > 0);
    }
  }
  ::close(fd);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(range.end - range.begin));
}

BENCHMARK(Stream)
    ->Arg(static_cast<int>(IoChoice::kUring))
    ->Arg(static_cast<int>(IoChoice::kPread))
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(Uring)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Pread)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: longtake_transfer_bench PACK [--benchmark_...]\n");
    return 2;
  }
  auto opened = PackReader::Open(PosixFileSystem(), argv[1]);
  if (!opened.ok()) {
    std::fprintf(stderr, "longtake_transfer_bench: %s\n",
                 std::string(opened.status().message()).c_str());
    return 1;
  }
  pack = opened->get();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
