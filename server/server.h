// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Everything of a running longtaked, built in order and torn down in the opposite one: workers,
// model, engine, gRPC port, health, metrics page. main and the tests use it alike.
//
// One thread starts and stops it; the rest is safe from any thread.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status_macros.h"
#include "server/config_options.h"

namespace longtake {

class Server {
 public:
  // Opens the pack, takes all memory, then opens the ports: who can connect is served. One clear
  // error naming the option or file. The config is checked (config.h).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Config& config, Clock& clock);
  ~Server();

  int port() const;
  // 0 when the metrics page is off.
  int metrics_port() const;
  int open_streams() const;
  // While draining: nothing is lost by an end. Sessions are on disk and no chunk is in work; or,
  // where none is kept, no stream is open.
  bool at_rest() const;

  // Health says NOT_SERVING and new sessions are refused; open streams go on until then, in
  // monotonic nanoseconds.
  void BeginDrain(int64_t end_nanos);
  // Ends what is left: streams get UNAVAILABLE. Joins all threads. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace longtake
