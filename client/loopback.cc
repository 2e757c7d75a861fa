// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace longtake {
namespace {

bool IsIpv4Loopback(in_addr address) {
  const uint32_t host_order = ntohl(address.s_addr);
  return host_order >> 24 == IN_LOOPBACKNET || host_order == INADDR_ANY;
}

bool IsIpv6Loopback(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr mapped{};
    mapped.s_addr = address.s6_addr32[3];
    return IsIpv4Loopback(mapped);
  }
  return IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address);
}

// "[::1]:7767", "127.0.0.1:7767", "::1" and "localhost" to the host alone.
std::string HostOf(absl::string_view target) {
  if (absl::ConsumePrefix(&target, "[")) return std::string(target.substr(0, target.find(']')));
  const size_t colon = target.find(':');
  const bool has_port = colon != absl::string_view::npos && colon == target.rfind(':');
  return std::string(has_port ? target.substr(0, colon) : target);
}

}  // namespace

bool IsLoopbackTarget(const std::string& target) {
  absl::string_view rest = target;
  if (absl::ConsumePrefix(&rest, "unix:") || absl::ConsumePrefix(&rest, "unix-abstract:")) {
    return true;
  }
  for (const char* scheme : {"dns:", "ipv4:", "ipv6:"}) absl::ConsumePrefix(&rest, scheme);
  // "dns://AUTHORITY/NAME": the authority is a name server.
  if (absl::ConsumePrefix(&rest, "//")) rest.remove_prefix(std::min(rest.find('/'), rest.size()));
  absl::ConsumePrefix(&rest, "/");
  std::string host = absl::AsciiStrToLower(HostOf(rest));
  if (host.ends_with('.')) host.pop_back();
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  in_addr ipv4{};
  // The short forms that resolvers take are addresses, too: 127.1.
  if (inet_aton(host.c_str(), &ipv4) != 0) return IsIpv4Loopback(ipv4);
  in6_addr ipv6{};
  return inet_pton(AF_INET6, host.c_str(), &ipv6) == 1 && IsIpv6Loopback(ipv6);
}

}  // namespace longtake
