// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/connection_acceptor.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "server/listen_sockets.h"
#include "server/peer.h"
#include "tests/server/loopback.h"

namespace longtake {
namespace {

// While it lives, the process gets no descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    for (Fd one(dup(0)); one.valid(); one = Fd(dup(0))) taken_.push_back(std::move(one));
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<Fd> taken_;
};

// Accepts with at most so many connections and keeps what it gets.
class Accepting {
 public:
  explicit Accepting(int64_t connections_max, uint64_t waste_bytes_max = 0,
                     const std::string& address = "127.0.0.1:0") {
    ListenSockets listening = OpenListenSockets(address).value();
    port_ = listening.port;
    file_ = std::move(listening.file);
    acceptor_ =
        ConnectionAcceptor::Start(
            std::move(listening.sockets),
            {.connections_max = connections_max, .waste_bytes_max = waste_bytes_max},
            [this](int, Fd connection) { Keep(std::move(connection)); }, uses_, metrics_, clock_)
            .value();
  }

  int port() const { return port_; }
  ConnectionUses& uses() { return uses_; }
  ConnectionAcceptor& acceptor() { return *acceptor_; }

  double Metric(const std::string& name) {
    for (const auto& family : metrics_.registry()->Collect()) {
      if (family.name != name) continue;
      const auto& metric = family.metric.front();
      return family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                            : metric.gauge.value;
    }
    return -1.0;
  }
  // Looks until a metric has a value; false after ten seconds.
  bool WaitFor(const std::string& name, double value) {
    for (int i = 0; i < 2000; ++i) {
      if (Metric(name) == value) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // As gRPC ends a connection.
  void EndOldest() {
    MutexLock lock(mutex_);
    shutdown(kept_.front().get(), SHUT_RDWR);
    kept_.erase(kept_.begin());
  }
  // Of the oldest, whose descriptor is still in use somewhere.
  void ShutOldest() {
    MutexLock lock(mutex_);
    shutdown(kept_.front().get(), SHUT_RDWR);
  }
  int OldestDescriptor() {
    MutexLock lock(mutex_);
    return kept_.front().get();
  }
  size_t kept() {
    MutexLock lock(mutex_);
    return kept_.size();
  }

 private:
  void Keep(Fd connection) {
    MutexLock lock(mutex_);
    kept_.push_back(std::move(connection));
  }

  SystemClock clock_;
  ConnectionUses uses_;
  ServerMetrics metrics_;
  Mutex mutex_;
  std::vector<Fd> kept_ ABSL_GUARDED_BY(mutex_);
  int port_ = 0;
  std::unique_ptr<SocketFile> file_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
};

TEST(ConnectionAcceptor, GoesOnAfterAMomentWithoutDescriptors) {
  Accepting server(10);
  const Fd client = NewSocket();
  {
    const NoDescriptors none;
    ASSERT_TRUE(Connect(client, server.port()));
    // Several times in one shortage, since the listener that was given up would fail once.
    for (int i = 0; i < 2000 && server.Metric("longtake_accept_errors_total") < 3.0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_GE(server.Metric("longtake_accept_errors_total"), 3.0);
    EXPECT_EQ(server.kept(), 0u);
  }
  EXPECT_TRUE(server.WaitFor("longtake_connections", 1.0));
  const Fd later = ConnectTo(server.port());
  EXPECT_TRUE(server.WaitFor("longtake_connections", 2.0));
}

// Two connections send as much; of one it was messages.
TEST(ConnectionAcceptor, WhatIsOfNoUseIsCut) {
  constexpr size_t kSent = 20'000;
  Accepting server(10, kSent - 1);
  std::array<Fd, 2> clients = {ConnectTo(server.port()), ConnectTo(server.port())};
  ASSERT_TRUE(server.WaitFor("longtake_connections", 2.0));
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(clients[1].get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  server.uses().Find("ipv4:" + ConnectionName(address, clients[1].get()))->CountMessage(1);
  const std::string sent(kSent, 'x');
  for (const Fd& client : clients) {
    ASSERT_EQ(send(client.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(kSent));
  }
  EXPECT_TRUE(server.WaitFor("longtake_connections", 1.0));
  EXPECT_EQ(server.Metric("longtake_connections_cut_total"), 1.0);
  char byte = 0;
  EXPECT_LE(recv(clients[0].get(), &byte, 1, 0), 0) << "the first one";
}

// Of a Unix socket the calls are known by the descriptor that gRPC was given.
TEST(ConnectionAcceptor, KnowsTheUserBehindADescriptor) {
  const std::string path = absl::StrCat(std::filesystem::temp_directory_path().string(),
                                        "/longtake-acceptor-", getpid());
  Accepting server(10, /*waste_bytes_max=*/0, "unix:" + path);
  const Fd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(server.WaitFor("longtake_connections", 1.0));
  const std::string name = absl::StrCat("fd:", server.OldestDescriptor());
  const std::string user = absl::StrCat("unix:uid=", geteuid());
  EXPECT_EQ(PeerOf(*server.uses().Find(name), name), user);
  server.EndOldest();
  ASSERT_TRUE(server.WaitFor("longtake_connections", 0.0));
  EXPECT_EQ(PeerOf(*server.uses().Find(name), name), "unix:") << "it is forgotten";
}

// An ended connection whose descriptor lives on is told once. Its number may be another's by then.
TEST(ConnectionAcceptor, AnEndIsToldOnce) {
  Accepting server(10);
  std::array<Fd, 2> low = {Fd(dup(0)), Fd(dup(0))};
  const Fd first = ConnectTo(server.port());
  ASSERT_TRUE(server.WaitFor("longtake_connections", 1.0));
  server.ShutOldest();
  ASSERT_TRUE(server.WaitFor("longtake_connections", 0.0));
  // The second client and its connection get these numbers, so that the acceptor's duplicate gets
  // the one that the first connection's had.
  for (Fd& one : low) one = Fd();
  const Fd second = ConnectTo(server.port());
  ASSERT_TRUE(server.WaitFor("longtake_connections", 1.0));
  const Fd third = ConnectTo(server.port());
  EXPECT_TRUE(server.WaitFor("longtake_connections", 2.0)) << "the second one was forgotten";
}

TEST(ConnectionAcceptor, ClosesWhatIsBeyondTheMostAndCountsIt) {
  Accepting server(2);
  const Fd first = ConnectTo(server.port());
  const Fd second = ConnectTo(server.port());
  ASSERT_TRUE(server.WaitFor("longtake_connections", 2.0));
  EXPECT_TRUE(IsClosed(ConnectTo(server.port())));
  EXPECT_TRUE(IsClosed(ConnectTo(server.port())));
  EXPECT_EQ(server.Metric("longtake_connections_refused_total"), 2.0);
  EXPECT_EQ(server.kept(), 2u);
  // An end makes a place, for the next one at once.
  server.EndOldest();
  const Fd third = ConnectTo(server.port());
  ASSERT_TRUE(server.WaitFor("longtake_connections", 2.0));
  EXPECT_EQ(server.Metric("longtake_connections_refused_total"), 2.0);
}

TEST(ConnectionAcceptor, KnowsConnectionsThatTheClientReset) {
  Accepting server(10);
  {
    const Fd client = ConnectTo(server.port());
    ASSERT_TRUE(server.WaitFor("longtake_connections", 1.0));
    const linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  EXPECT_TRUE(server.WaitFor("longtake_connections", 0.0));
}

TEST(ConnectionAcceptor, StopsListeningAndLetsConnectionsLive) {
  Accepting server(10);
  const Fd client = ConnectTo(server.port());
  ASSERT_TRUE(server.WaitFor("longtake_connections", 1.0));
  server.acceptor().Stop();
  EXPECT_FALSE(Connect(NewSocket(), server.port()));
  server.acceptor().Stop();
  char byte = 0;
  EXPECT_EQ(recv(client.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace longtake
