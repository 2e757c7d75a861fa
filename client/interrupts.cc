// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/interrupts.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

// Where the handler writes; a handler has no other way to find it.
std::atomic<int> signal_pipe = -1;

// All that is safe in a handler is done in it: a byte wakes the listener.
void OnSignal(int signal) {
  const int saved_errno = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe already holds more signals than anybody needs.
  [[maybe_unused]] const ssize_t written = write(signal_pipe, &byte, 1);
  errno = saved_errno;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Interrupts>> Interrupts::Start(std::function<void()> on_first,
                                                              std::function<void()> on_second) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("a pipe for signals: ", std::strerror(errno)));
  }
  std::unique_ptr<Interrupts> out(new Interrupts(std::move(on_first), std::move(on_second)));
  out->read_end_ = Fd(ends[0]);
  out->write_end_ = Fd(ends[1]);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);  // the handler never waits
  signal_pipe = ends[1];
  out->listener_ = std::thread([interrupts = out.get()] { interrupts->Listen(); });
  struct sigaction action{};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &out->old_int_);
  sigaction(SIGTERM, &action, &out->old_term_);
  return out;
}

Interrupts::Interrupts(std::function<void()> on_first, std::function<void()> on_second)
    : on_first_(std::move(on_first)), on_second_(std::move(on_second)) {}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
  OnSignal(0);
  listener_.join();
}

void Interrupts::Listen() {
  if (WaitForSignal() == 0) return;
  on_first_();
  const int signal = WaitForSignal();
  if (signal == 0) return;
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  on_second_();
  kill(getpid(), signal);
}

// 0: the owner ends.
int Interrupts::WaitForSignal() const {
  unsigned char byte = 0;
  while (read(read_end_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
  return byte;
}

}  // namespace longtake
