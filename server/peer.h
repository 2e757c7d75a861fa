// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Names of peers: which count as one when places and memory are shared out, and which connection is
// whose. Pure functions.
#pragma once

#include <sys/socket.h>

#include <string>

namespace longtake {

// Of what gRPC calls a peer ("ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000"): an IPv4 address
// without its port, the first 64 bits of an IPv6 one, as one owner has so many, "unix:" for the
// descriptor of a Unix socket ("fd:7"), which says nothing of its peer; all else as it is.
std::string PeerNetwork(const std::string& grpc_peer);

// One connection: "ADDRESS:PORT" of the peer, or "fd:7" for the descriptor of a Unix socket; alike
// from what gRPC calls it and from the socket. Empty for what is none of these.
std::string ConnectionName(const std::string& grpc_peer);
std::string ConnectionName(const sockaddr_storage& peer, int descriptor);

}  // namespace longtake
