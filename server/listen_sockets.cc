// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/listen_sockets.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/limits.h"

namespace longtake {
namespace {

// How often another free port is tried when one address of a host has it and another has not.
constexpr int kFreePortAttemptsMax = 16;

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

absl::StatusOr<HostPort> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not HOST:PORT"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\": an IPv6 address needs brackets, as in [::1]:7767"));
  }
  return HostPort{.host = host, .port = static_cast<uint16_t>(port)};
}

absl::StatusOr<AddressList> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  AddressList list(found, &freeaddrinfo);
  if (error == 0) return list;
  return absl::InvalidArgumentError(
      absl::StrCat("no address for ", host, ": ", gai_strerror(error)));
}

void SetPort(uint16_t port, sockaddr_storage* address) {
  if (address->ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  }
}

int PortOf(const Fd& socket) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

bool SetOption(const Fd& socket, int level, int name, int value) {
  return setsockopt(socket.get(), level, name, &value, sizeof(value)) == 0;
}

// Accepted sockets inherit what is set here. Without SO_REUSEPORT a second server on the same port
// fails to start instead of sharing it. An invalid descriptor leaves the reason in errno.
Fd Listen(const addrinfo& info, uint16_t port) {
  Fd socket(::socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return socket;
  sockaddr_storage address{};
  std::memcpy(&address, info.ai_addr, info.ai_addrlen);
  SetPort(port, &address);
  const bool listening =
      SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1) &&
      (info.ai_family != AF_INET6 || SetOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
      SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1) &&
      SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kKeepaliveTimeoutSeconds * 1000) &&
      bind(socket.get(), reinterpret_cast<sockaddr*>(&address), info.ai_addrlen) == 0 &&
      listen(socket.get(), SOMAXCONN) == 0;
  return listening ? std::move(socket) : Fd();
}

absl::Status ListenError(const std::string& address, int error) {
  const char* advice = error == EADDRINUSE ? "; another program has this port" : "";
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ",
                                             std::generic_category().message(error), advice));
}

// All addresses of the list at one port.
absl::StatusOr<ListenSockets> ListenOnAll(const addrinfo* list, const std::string& address,
                                          uint16_t port) {
  ListenSockets out;
  out.port = port;
  int missing = 0;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    Fd socket = Listen(*info, static_cast<uint16_t>(out.port));
    const int error = errno;
    if (socket.valid()) {
      out.port = PortOf(socket);
      out.sockets.push_back(std::move(socket));
    } else if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT) {
      missing = error;
    } else {
      return ListenError(address, error);
    }
  }
  if (out.sockets.empty()) return ListenError(address, missing);
  return out;
}

bool IsLoopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    return ntohl(ipv4.sin_addr.s_addr) >> 24 == 127;
  }
  const in6_addr& ipv6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&ipv6) || (IN6_IS_ADDR_V4MAPPED(&ipv6) && ipv6.s6_addr[12] == 127);
}

}  // namespace

absl::StatusOr<ListenSockets> OpenListenSockets(const std::string& address, mode_t mode) {
  if (IsUnixAddress(address)) {
    LT_ASSIGN_OR_RETURN(UnixListener listener, OpenUnixSocket(address, mode));
    ListenSockets out;
    out.sockets.push_back(std::move(listener.socket));
    out.file = std::move(listener.file);
    return out;
  }
  LT_ASSIGN_OR_RETURN(const HostPort asked, SplitAddress(address));
  LT_ASSIGN_OR_RETURN(const AddressList list, Resolve(asked.host));
  const int attempts = asked.port == 0 ? kFreePortAttemptsMax : 1;
  absl::StatusOr<ListenSockets> opened;
  for (int i = 0; i < attempts; ++i) {
    opened = ListenOnAll(list.get(), address, asked.port);
    if (opened.ok()) break;
  }
  return opened;
}

bool IsLoopback(const std::string& address) {
  if (IsUnixAddress(address)) return true;
  const absl::StatusOr<HostPort> asked = SplitAddress(address);
  if (!asked.ok()) return false;
  const absl::StatusOr<AddressList> list = Resolve(asked->host);
  if (!list.ok()) return false;
  for (const addrinfo* info = list->get(); info != nullptr; info = info->ai_next) {
    if (!IsLoopback(*info->ai_addr)) return false;
  }
  return true;
}

}  // namespace longtake
