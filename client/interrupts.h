// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// SIGINT and SIGTERM as calls on a thread of their own, so that they are heard whatever the program
// waits for. One at a time in a process.
#pragma once

#include <signal.h>

#include <functional>
#include <memory>
#include <thread>

#include "base/fd.h"
#include "base/status_macros.h"

namespace longtake {

class Interrupts {
 public:
  // From now on the first signal calls on_first and the second on_second; then the process ends by
  // that signal, as if nobody had caught it. A third one ends it while on_second is still at work.
  // RESOURCE_EXHAUSTED when the system has no descriptors left.
  static absl::StatusOr<std::unique_ptr<Interrupts>> Start(std::function<void()> on_first,
                                                           std::function<void()> on_second);
  // Waits for a call that is under way; afterwards signals do what they did before.
  ~Interrupts();

 private:
  Interrupts(std::function<void()> on_first, std::function<void()> on_second);
  void Listen();
  int WaitForSignal() const;

  const std::function<void()> on_first_;
  const std::function<void()> on_second_;
  Fd read_end_;
  Fd write_end_;
  struct sigaction old_int_{};
  struct sigaction old_term_{};
  std::thread listener_;
};

}  // namespace longtake
