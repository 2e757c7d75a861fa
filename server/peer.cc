// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace longtake {
namespace {

constexpr size_t kNetworkBytes = 8;
// How gRPC calls a connection that it was given as a descriptor.
constexpr char kDescriptorPrefix[] = "fd:";
// ::ffff:0:0/96, how an IPv4 address looks on a socket for both.
constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string Text(int family, const void* address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family, address, text, sizeof(text)) == nullptr ? "" : text;
}

// "[::1]:5000" and "%5B::1%5D:5000" without brackets, port and zone.
std::string WithoutPort(absl::string_view text) {
  text = text.substr(0, text.rfind(':'));
  if (!absl::ConsumePrefix(&text, "[")) absl::ConsumePrefix(&text, "%5B");
  if (!absl::ConsumeSuffix(&text, "]")) absl::ConsumeSuffix(&text, "%5D");
  return std::string(text.substr(0, text.find('%')));
}

bool IsMapped(const std::array<uint8_t, 16>& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

// Of an address in network order; without a zone, and as IPv4 where it is one.
std::string NameOf(const std::array<uint8_t, 16>& address) {
  return IsMapped(address) ? Text(AF_INET, address.data() + kMappedPrefix.size())
                           : Text(AF_INET6, address.data());
}

}  // namespace

std::string ConnectionName(const std::string& grpc_peer) {
  if (grpc_peer.starts_with(kDescriptorPrefix)) return grpc_peer;
  absl::string_view rest = grpc_peer;
  const bool ipv4 = absl::ConsumePrefix(&rest, "ipv4:");
  if (!ipv4 && !absl::ConsumePrefix(&rest, "ipv6:")) return "";
  const std::string port(rest.substr(std::min(rest.rfind(':'), rest.size())));
  if (ipv4) return WithoutPort(rest) + port;
  std::array<uint8_t, 16> address{};
  if (inet_pton(AF_INET6, WithoutPort(rest).c_str(), address.data()) != 1) return "";
  return NameOf(address) + port;
}

std::string ConnectionName(const sockaddr_storage& peer, int descriptor) {
  if (peer.ss_family == AF_UNIX) return absl::StrCat(kDescriptorPrefix, descriptor);
  if (peer.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(peer);
    return absl::StrCat(Text(AF_INET, &in.sin_addr), ":", ntohs(in.sin_port));
  }
  if (peer.ss_family != AF_INET6) return "";
  const auto& in = reinterpret_cast<const sockaddr_in6&>(peer);
  std::array<uint8_t, 16> address{};
  std::copy_n(in.sin6_addr.s6_addr, address.size(), address.begin());
  return absl::StrCat(NameOf(address), ":", ntohs(in.sin6_port));
}

std::string PeerNetwork(const std::string& grpc_peer) {
  if (grpc_peer.starts_with(kDescriptorPrefix)) return "unix:";
  absl::string_view rest = grpc_peer;
  if (absl::ConsumePrefix(&rest, "ipv4:")) return WithoutPort(rest);
  if (!absl::ConsumePrefix(&rest, "ipv6:")) return grpc_peer;
  std::array<uint8_t, 16> address{};
  if (inet_pton(AF_INET6, WithoutPort(rest).c_str(), address.data()) != 1) return grpc_peer;
  if (IsMapped(address)) return NameOf(address);
  std::fill(address.begin() + kNetworkBytes, address.end(), uint8_t{0});
  return Text(AF_INET6, address.data()) + "/64";
}

}  // namespace longtake
