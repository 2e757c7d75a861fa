// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// spdlog's asynchronous logger over a bounded queue, so that nobody who logs ever waits for the
// reader of the log: a thread of spdlog's writes to the sink and may be stuck there as long as the
// reader pleases. A full queue loses its oldest line; a line that says how many are missing stands
// where they would have been.
//
// Any thread. The sink is called by one thread only.
#pragma once

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace longtake {

class LogQueue {
 public:
  // gap_text says in one line that so many lines are missing.
  LogQueue(std::shared_ptr<spdlog::sinks::sink> sink, size_t lines_max,
           std::function<std::string(uint64_t lines)> gap_text);
  // Waits for the sink. A program that has to end whatever its sink does never destroys its queue.
  ~LogQueue();

  // Whoever logs through it never waits.
  spdlog::async_logger& logger() { return *logger_; }
  // Lines that a full queue lost since the start.
  uint64_t dropped_lines() const { return pool_->overrun_counter(); }

  // Waits until everything logged before is through the sink; false when the time is up first.
  bool Flush(int64_t timeout_nanos);

 private:
  class Sink;

  const std::shared_ptr<spdlog::details::thread_pool> pool_;
  const std::shared_ptr<Sink> sink_;
  const std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace longtake
