// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which peers count as one when places and memory are shared out. Pure function.
#pragma once

#include <string>

namespace longtake {

// Of what gRPC calls a peer ("ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000"): an IPv4 address
// without its port, the first 64 bits of an IPv6 one, as one owner has so many; all else as it is.
std::string PeerNetwork(const std::string& grpc_peer);

}  // namespace longtake
