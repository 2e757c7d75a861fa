// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/connection_acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "server/log.h"
#include "server/peer.h"
#include "server/tcp_bytes.h"
#include "server/unix_socket.h"

namespace longtake {
namespace {

constexpr int kPauseMillisMin = 10;
constexpr int kPauseMillisMax = 500;
// How often connections are looked at whether they are of use.
constexpr int kLookMillis = 20;
// gRPC may need minutes to free what an ended connection held, so that the heap is asked after one
// second, two, four and so on.
constexpr int kTrimMillis = 1000;
constexpr uint64_t kMuchBytes = 1 << 20;
constexpr uint64_t kFreeBytesPerSecond = 1 << 10;
constexpr int64_t kSecondNanos = 1'000'000'000;
constexpr int64_t kTrimDelayNanosMax = 256 * kSecondNanos;
// After so many the thread looks at everything else again.
constexpr int kAcceptsAtOnce = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> ConnectionAcceptor::Start(
    std::vector<Fd> listeners, const Options& options, HandOver hand_over, ConnectionUses& uses,
    ServerMetrics& metrics, Clock& clock) {
  auto acceptor = std::unique_ptr<ConnectionAcceptor>(new ConnectionAcceptor(
      std::move(listeners), options, std::move(hand_over), uses, metrics, clock));
  if (!acceptor->stop_.valid() || !acceptor->ended_.valid()) {
    return absl::ResourceExhaustedError("listen: too few file descriptors to accept connections");
  }
  acceptor->thread_ = std::thread([self = acceptor.get()] { self->Run(); });
  return acceptor;
}

ConnectionAcceptor::ConnectionAcceptor(std::vector<Fd> listeners, const Options& options,
                                       HandOver hand_over, ConnectionUses& uses,
                                       ServerMetrics& metrics, Clock& clock)
    : listeners_(std::move(listeners)),
      options_(options),
      hand_over_(std::move(hand_over)),
      uses_(uses),
      metrics_(metrics),
      clock_(clock),
      stop_(eventfd(0, EFD_CLOEXEC)),
      ended_(epoll_create1(EPOLL_CLOEXEC)) {}

ConnectionAcceptor::~ConnectionAcceptor() { Stop(); }

void ConnectionAcceptor::Stop() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
  listeners_.clear();
}

void ConnectionAcceptor::Run() {
  std::vector<pollfd> waits = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                               {.fd = ended_.get(), .events = POLLIN, .revents = 0}};
  const size_t first_listener = waits.size();
  for (const Fd& listener : listeners_) {
    waits.push_back({.fd = listener.get(), .events = POLLIN, .revents = 0});
  }
  while (true) {
    const size_t count = paused_ ? first_listener : waits.size();
    const int news = poll(waits.data(), count, PatienceMillis());
    if (news < 0) continue;  // interrupted
    if (waits[0].revents != 0) return;
    ForgetEnded();
    CutWasteful();
    TrimWhenDue();
    // The end of a connection may be what accepting waited for, so that it ends the pause, too.
    if (std::exchange(paused_, false)) continue;
    for (size_t i = first_listener; i < count; ++i) {
      if (waits[i].revents != 0) Accept(listeners_[i - first_listener]);
    }
  }
}

int ConnectionAcceptor::PatienceMillis() const {
  if (paused_) return pause_millis_;
  if (options_.waste_bytes_max != 0 && !connections_.empty()) return kLookMillis;
  return trim_nanos_ == kNever ? -1 : kTrimMillis;
}

void ConnectionAcceptor::TrimWhenDue() {
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (now_nanos < trim_nanos_) return;
  if (options_.trim) options_.trim();
  trim_delay_nanos_ *= 2;
  trim_nanos_ = trim_delay_nanos_ > kTrimDelayNanosMax ? kNever : now_nanos + trim_delay_nanos_;
}

void ConnectionAcceptor::Accept(const Fd& listener) {
  for (int i = 0; i < kAcceptsAtOnce && !paused_; ++i) {
    Fd connection(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.valid()) {
      Admit(listener, std::move(connection));
    } else if (errno == EAGAIN) {
      pause_millis_ = 0;
      return;
    } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
      // Those three concern one client, who must not delay the others; all else is a shortage.
      Pause(errno);
    }
  }
}

void ConnectionAcceptor::Admit(const Fd& listener, Fd connection) {
  sockaddr_storage peer{};
  socklen_t bytes = sizeof(peer);
  if (getpeername(connection.get(), reinterpret_cast<sockaddr*>(&peer), &bytes) != 0) return;
  // One that ended just now makes place for this one.
  if (std::ssize(connections_) >= options_.connections_max) ForgetEnded();
  if (std::ssize(connections_) >= options_.connections_max) {
    Refuse();
    return;
  }
  Fd duplicate(fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
  // Without events of interest the end of both directions is still reported.
  epoll_event event = {.events = 0, .data = {.fd = duplicate.get()}};
  if (!duplicate.valid() || epoll_ctl(ended_.get(), EPOLL_CTL_ADD, duplicate.get(), &event) != 0) {
    const int error = errno;
    metrics_.CountConnectionRefused();
    Pause(error);
    return;
  }
  const int key = duplicate.get();
  const std::string name = ConnectionName(peer, connection.get());
  const bool is_unix = peer.ss_family == AF_UNIX;
  std::shared_ptr<ConnectionUse> use;
  if (is_unix || options_.waste_bytes_max != 0) {
    use = uses_.Add(name, is_unix ? UnixPeer(connection) : std::string());
  }
  connections_.emplace(key, Connection{.duplicate = std::move(duplicate),
                                       .name = name,
                                       .use = std::move(use),
                                       .begin_nanos = clock_.MonotonicNanos()});
  metrics_.SetConnections(std::ssize(connections_));
  hand_over_(listener.get(), std::move(connection));
}

void ConnectionAcceptor::Refuse() {
  metrics_.CountConnectionRefused();
  if (std::exchange(refusal_told_, true)) return;
  Log(LogLevel::kWarning, "connections-max is reached; further refusals are only counted",
      {{"connections", options_.connections_max}});
}

void ConnectionAcceptor::ForgetEnded() {
  std::array<epoll_event, 64> events{};
  int count = 0;
  do {
    count = epoll_wait(ended_.get(), events.data(), std::ssize(events), 0);
    for (int i = 0; i < count; ++i) {
      const int key = events.at(static_cast<size_t>(i)).data.fd;
      // Closing the duplicate would not end its registration: gRPC's descriptor is the same open
      // file, and the event would come again under a number that another connection may have.
      epoll_ctl(ended_.get(), EPOLL_CTL_DEL, key, nullptr);
      Forget(key);
    }
  } while (count == std::ssize(events));
  metrics_.SetConnections(std::ssize(connections_));
}

void ConnectionAcceptor::Forget(int key) {
  const auto found = connections_.find(key);
  if (found == connections_.end()) return;
  const Connection& connection = found->second;
  if (TcpBytesOf(key).received > kMuchBytes) {
    trim_delay_nanos_ = kSecondNanos;
    trim_nanos_ = std::min(trim_nanos_, clock_.MonotonicNanos() + kSecondNanos);
  }
  if (connection.use != nullptr) uses_.Remove(connection.name, *connection.use);
  connections_.erase(found);
}

void ConnectionAcceptor::CutWasteful() {
  if (options_.waste_bytes_max == 0) return;
  const int64_t now_nanos = clock_.MonotonicNanos();
  for (const auto& [key, connection] : connections_) {
    const TcpBytes bytes = TcpBytesOf(key);
    const auto seconds = static_cast<uint64_t>((now_nanos - connection.begin_nanos) / kSecondNanos);
    // Whoever takes much has to say so, with windows; pings and calls of health come with time.
    const uint64_t useful =
        connection.use->useful_bytes() + bytes.acknowledged / 64 + seconds * kFreeBytesPerSecond;
    if (bytes.received <= useful + options_.waste_bytes_max) continue;
    if (shutdown(key, SHUT_RDWR) != 0) continue;
    metrics_.CountConnectionCut();
    Log(LogLevel::kWarning, "connection cut: what it sent was of no use",
        {{"peer", connection.name}, {"received_bytes", static_cast<int64_t>(bytes.received)}});
  }
}

void ConnectionAcceptor::Pause(int error) {
  metrics_.CountAcceptError();
  if (pause_millis_ == 0) {
    Log(LogLevel::kWarning, "cannot accept connections for a moment",
        {{"message", std::generic_category().message(error)}});
  }
  pause_millis_ = std::clamp(pause_millis_ * 2, kPauseMillisMin, kPauseMillisMax);
  paused_ = true;
}

}  // namespace longtake
