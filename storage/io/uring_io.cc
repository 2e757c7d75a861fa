// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/uring_io.h"

#include <liburing.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <vector>

#include "base/aligned_buffer.h"

namespace longtake {
namespace {

constexpr size_t kRingEntriesMax = 4096;
constexpr size_t kTrialBytes = 4096;
constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kTrialNanos = 10 * kNanosPerSecond;
// A submission waits in the kernel when the device's own queue is full (256 entries are common, and
// a request of 1 MiB takes two). Beyond this many the kernel's worker threads do that waiting, so
// that the caller can compute.
constexpr size_t kInlineMax = 32;

// A ring may lie where another thread's one did, which only the kernel knows to be in order:
// liburing maps and unmaps past the C library, so a race detector does not see it. This tells it.
std::atomic<uint64_t> rings_closed = 0;

std::string ErrorText(int error) { return std::generic_category().message(error); }

// Owns the ring; the kernel may write to buffers until every read has been answered, so the
// destructor waits for them.
class UringIo final : public BlockIo {
 public:
  UringIo(File& file, size_t capacity) : BlockIo(file.path(), capacity), fd_(file.fd()) {}

  ~UringIo() override {
    if (!ring_open_) return;
    Drain();
    rings_closed.fetch_add(1, std::memory_order_release);
    io_uring_queue_exit(&ring_);
  }

  // Both return an errno or 0.
  int OpenRing() {
    const int error = -io_uring_queue_init(static_cast<unsigned>(capacity()), &ring_, 0);
    if (error != 0) return error;
    rings_closed.load(std::memory_order_acquire);
    ring_open_ = true;
    return -io_uring_register_files(&ring_, &fd_, 1);
  }

  int RegisterBuffers(std::span<const std::span<std::byte>> buffers) {
    std::vector<iovec> vectors;
    for (const std::span<std::byte> buffer : buffers) {
      vectors.push_back({.iov_base = buffer.data(), .iov_len = buffer.size()});
    }
    if (vectors.empty()) return 0;
    const int error =
        -io_uring_register_buffers(&ring_, vectors.data(), static_cast<unsigned>(vectors.size()));
    if (error == 0) registered_.assign(buffers.begin(), buffers.end());
    return error;
  }

 private:
  void StartRaw(size_t number, const BlockRequest& rest) override {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    // The queue holds capacity entries; restarts may meet it full until the kernel has taken some.
    while (sqe == nullptr) {
      FlushRaw();
      sqe = io_uring_get_sqe(&ring_);
    }
    Prepare(sqe, rest);
    sqe->flags |= IOSQE_FIXED_FILE;
    if (in_flight() > kInlineMax) sqe->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data64(sqe, number);
  }

  void Prepare(io_uring_sqe* sqe, const BlockRequest& rest) {
    const bool write = rest.kind == BlockRequest::Kind::kWrite;
    const auto bytes = static_cast<unsigned>(rest.memory.size());
    const int buffer = RegisteredBuffer(rest.memory);
    if (buffer >= 0 && write) {
      io_uring_prep_write_fixed(sqe, 0, rest.memory.data(), bytes, rest.offset, buffer);
    } else if (buffer >= 0) {
      io_uring_prep_read_fixed(sqe, 0, rest.memory.data(), bytes, rest.offset, buffer);
    } else if (write) {
      io_uring_prep_write(sqe, 0, rest.memory.data(), bytes, rest.offset);
    } else {
      io_uring_prep_read(sqe, 0, rest.memory.data(), bytes, rest.offset);
    }
  }

  void FlushRaw() override {
    while (io_uring_sq_ready(&ring_) > 0) {
      const int result = io_uring_submit(&ring_);
      if (result >= 0) continue;
      // The kernel is out of request memory for a moment, or a signal came.
      LT_CHECK(result == -EAGAIN || result == -EBUSY || result == -EINTR);
      sched_yield();
    }
  }

  std::optional<RawCompletion> NextRaw(int64_t wait_nanos) override {
    io_uring_cqe* cqe = nullptr;
    int error = io_uring_peek_cqe(&ring_, &cqe);
    while (wait_nanos > 0 && cqe == nullptr) {
      FlushRaw();
      __kernel_timespec timeout = {.tv_sec = wait_nanos / kNanosPerSecond,
                                   .tv_nsec = wait_nanos % kNanosPerSecond};
      error = io_uring_wait_cqe_timeout(&ring_, &cqe, &timeout);
      if (error == -ETIME) break;
      LT_CHECK(error == 0 || error == -EINTR || error == -EAGAIN);
    }
    if (cqe == nullptr) return std::nullopt;
    const RawCompletion raw = {.number = static_cast<size_t>(io_uring_cqe_get_data64(cqe)),
                               .result = cqe->res};
    io_uring_cqe_seen(&ring_, cqe);
    return raw;
  }

  int RegisteredBuffer(std::span<const std::byte> out) const {
    for (size_t i = 0; i < registered_.size(); ++i) {
      const std::byte* begin = registered_[i].data();
      if (out.data() >= begin && out.data() + out.size() <= begin + registered_[i].size()) {
        return static_cast<int>(i);
      }
    }
    return -1;
  }

  int fd_;
  io_uring ring_{};
  bool ring_open_ = false;
  std::vector<std::span<std::byte>> registered_;
};

std::string MemlockText() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  return ", RLIMIT_MEMLOCK is " + std::to_string(limit.rlim_cur / 1024) + " KiB";
}

}  // namespace

absl::StatusOr<UringIoResult> OpenUringIo(File& file, std::span<const std::span<std::byte>> buffers,
                                          size_t capacity) {
  if (file.fd() < 0) return absl::UnavailableError("io_uring: the file has no descriptor");
  // Before the ring, which waits at its end for what the kernel may still write.
  LT_ASSIGN_OR_RETURN(AlignedBuffer trial, AlignedBuffer::Allocate(kTrialBytes, kTrialBytes));
  auto io = std::make_unique<UringIo>(file, std::min(capacity, kRingEntriesMax));
  if (const int error = io->OpenRing(); error != 0) {
    const char* hint = error == EPERM || error == ENOSYS
                           ? " (see kernel.io_uring_disabled and the container's seccomp profile)"
                           : "";
    return absl::UnavailableError("io_uring: " + ErrorText(error) + hint);
  }
  UringIoResult result;
  if (const int error = io->RegisterBuffers(buffers); error != 0) {
    result.note = "buffers not registered: " + ErrorText(error) + MemlockText();
  }
  io->Submit({.tag = 0, .offset = 0, .memory = trial.span()});
  const std::optional<BlockCompletion> done = io->Wait(kTrialNanos);
  if (!done.has_value()) return absl::UnavailableError("io_uring: the trial read hangs");
  if (!done->status.ok()) {
    return absl::UnavailableError("io_uring: trial read: " + std::string(done->status.message()));
  }
  io->ClearStats();
  result.io = std::move(io);
  return result;
}

}  // namespace longtake
