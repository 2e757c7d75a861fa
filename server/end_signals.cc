// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/end_signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace longtake {
namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kMillisMax = 3'600'000;

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EndSignals>> EndSignals::Listen(
    Clock& clock, std::function<void(const char* why)> at_once) {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto out = std::unique_ptr<EndSignals>(new EndSignals(clock, std::move(at_once)));
  if (!out->signals_.valid() || !out->changed_.valid()) {
    return absl::ResourceExhaustedError("too few file descriptors to hear signals");
  }
  out->thread_ = std::thread([self = out.get()] { self->Run(); });
  return out;
}

EndSignals::EndSignals(Clock& clock, std::function<void(const char* why)> at_once)
    : clock_(clock), at_once_(std::move(at_once)), changed_(eventfd(0, EFD_CLOEXEC)) {
  const sigset_t signals = EndingSignals();
  signals_ = Fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

EndSignals::~EndSignals() {
  {
    MutexLock lock(mutex_);
    leaving_ = true;
  }
  if (!thread_.joinable()) return;
  eventfd_write(changed_.get(), 1);
  thread_.join();
}

void EndSignals::BeginServing() {
  MutexLock lock(mutex_);
  serving_ = true;
}

void EndSignals::Wait() {
  MutexLock lock(mutex_);
  while (count_ == 0) heard_.Wait(mutex_);
}

void EndSignals::EndWithin(int64_t nanos) {
  MutexLock lock(mutex_);
  end_nanos_ = clock_.MonotonicNanos() + nanos;
  eventfd_write(changed_.get(), 1);
}

bool EndSignals::hurried() const {
  MutexLock lock(mutex_);
  return count_ > 1;
}

void EndSignals::Run() {
  std::array<pollfd, 2> waits = {pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = changed_.get(), .events = POLLIN, .revents = 0}};
  while (true) {
    const int left = MillisLeft();
    if (left == 0) EndAtOnce("it did not end in time");
    poll(waits.data(), waits.size(), left);
    eventfd_t count = 0;
    if (waits[1].revents != 0) eventfd_read(changed_.get(), &count);
    {
      MutexLock lock(mutex_);
      if (leaving_) return;
    }
    if (waits[0].revents != 0) Hear();
  }
}

void EndSignals::Hear() {
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
  const char* why = "it did not serve yet";
  {
    MutexLock lock(mutex_);
    if (serving_ && ++count_ <= 2) return heard_.NotifyAll();
    if (serving_) why = "it was told to a third time";
  }
  EndAtOnce(why);
}

void EndSignals::EndAtOnce(const char* why) {
  at_once_(why);
  _exit(0);
}

// 0: the time is over.
int EndSignals::MillisLeft() const {
  MutexLock lock(mutex_);
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (now_nanos >= end_nanos_) return 0;
  return static_cast<int>(
      std::clamp<int64_t>((end_nanos_ - now_nanos) / kNanosPerMilli, 1, kMillisMax));
}

}  // namespace longtake
