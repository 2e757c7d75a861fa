// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Accepts connections in a thread of its own and hands them over, so that a moment without
// descriptors or memory delays clients and ends nothing: gRPC's own listener is given up at the
// first such error and never accepts again.
//
// It also knows which connections live, since gRPC does not tell: it keeps a duplicate of each
// socket, and the system reports on it when the connection was shut down. A connection beyond the
// most is closed at once, which its client sees as a refusal instead of waiting.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/status_macros.h"
#include "server/metrics.h"

namespace longtake {

class ConnectionAcceptor {
 public:
  // Called on the acceptor's thread with the listening socket it came from. The connection is
  // non-blocking and close-on-exec. Whoever gets it shuts it down (shutdown(2)) before closing it.
  using HandOver = std::function<void(int listener, Fd connection)>;

  // Begins to accept. The sockets listen and are non-blocking. The metrics must outlive it.
  // RESOURCE_EXHAUSTED without descriptors for itself.
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Start(std::vector<Fd> listeners,
                                                                   int64_t connections_max,
                                                                   HandOver hand_over,
                                                                   ServerMetrics& metrics);
  ~ConnectionAcceptor();

  // Closes the listening sockets and joins the thread; connections live on. Idempotent, and
  // together with the construction for one thread.
  void Stop();

 private:
  ConnectionAcceptor(std::vector<Fd> listeners, int64_t connections_max, HandOver hand_over,
                     ServerMetrics& metrics);

  void Run();
  // Takes what waits at a listener.
  void Accept(const Fd& listener);
  void Admit(const Fd& listener, Fd connection);
  void Refuse();
  void ForgetEnded();
  // Accepting stops for a moment, longer each time.
  void Pause(int error);

  std::vector<Fd> listeners_;
  const int64_t connections_max_;
  const HandOver hand_over_;
  ServerMetrics& metrics_;
  Fd stop_;                       // an eventfd
  Fd ended_;                      // an epoll that waits for the end of the connections
  std::map<int, Fd> duplicates_;  // of the connections that live, by descriptor
  int pause_millis_ = 0;          // 0: accepting works
  bool paused_ = false;
  bool refusal_told_ = false;
  std::thread thread_;
};

}  // namespace longtake
