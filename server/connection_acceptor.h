// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Accepts connections in a thread of its own and hands them over, so that a moment without
// descriptors or memory delays clients and ends nothing: gRPC's own listener is given up at the
// first such error and never accepts again.
//
// It also knows which connections live, since gRPC does not tell: it keeps a duplicate of each
// socket, and the system reports on it when the connection was shut down. A connection beyond the
// most is closed at once, which its client sees as a refusal instead of waiting. One that sends
// much of no use is shut down, when it is asked to look for that; and when one ends that sent much,
// the heap gives back to the system what it held.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/status_macros.h"
#include "server/connection_uses.h"
#include "server/metrics.h"

namespace longtake {

class ConnectionAcceptor {
 public:
  // Called on the acceptor's thread with the listening socket it came from. The connection is
  // non-blocking and close-on-exec. Whoever gets it shuts it down (shutdown(2)) before closing it.
  using HandOver = std::function<void(int listener, Fd connection)>;

  struct Options {
    int64_t connections_max = 0;
    // What a connection may send beyond what was of use; 0: nobody looks.
    uint64_t waste_bytes_max = 0;
    // Gives back to the system what the heap no longer needs, on another thread: it may take long,
    // and who is of no use must not be waited for with it. May be empty.
    std::function<void()> trim = {};
  };

  // Begins to accept. The sockets listen and are non-blocking. Uses, metrics and clock must outlive
  // it. RESOURCE_EXHAUSTED without descriptors for itself.
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Start(
      std::vector<Fd> listeners, const Options& options, HandOver hand_over, ConnectionUses& uses,
      ServerMetrics& metrics, Clock& clock);
  ~ConnectionAcceptor();

  // Closes the listening sockets and joins the thread; connections live on. Idempotent, and
  // together with the construction for one thread.
  void Stop();

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  struct Connection {
    Fd duplicate;
    std::string name;                    // as ConnectionName (peer.h)
    std::shared_ptr<ConnectionUse> use;  // null when nobody asks
    int64_t begin_nanos = 0;
  };

  ConnectionAcceptor(std::vector<Fd> listeners, const Options& options, HandOver hand_over,
                     ConnectionUses& uses, ServerMetrics& metrics, Clock& clock);

  void Run();
  // Takes what waits at a listener.
  void Accept(const Fd& listener);
  void Admit(const Fd& listener, Fd connection);
  void Refuse();
  void ForgetEnded();
  void Forget(int key);
  // Shuts those down that sent too much of no use.
  void CutWasteful();
  void TrimWhenDue();
  // How long to wait for news, in milliseconds; -1: until there are some.
  int PatienceMillis() const;
  // Accepting stops for a moment, longer each time.
  void Pause(int error);

  std::vector<Fd> listeners_;
  const Options options_;
  const HandOver hand_over_;
  ConnectionUses& uses_;
  ServerMetrics& metrics_;
  Clock& clock_;
  Fd stop_;                                // an eventfd
  Fd ended_;                               // an epoll that waits for the end of the connections
  std::map<int, Connection> connections_;  // those that live, by descriptor of the duplicate
  int pause_millis_ = 0;                   // 0: accepting works
  bool paused_ = false;
  bool refusal_told_ = false;
  int64_t trim_nanos_ = kNever;   // when the heap gives back what an ended connection held
  int64_t trim_delay_nanos_ = 0;  // until the next time
  std::thread thread_;
};

}  // namespace longtake
