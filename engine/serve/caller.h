// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who asks for something: a plain value that goes with a request from the server into the engine.
#pragma once

#include <string>

namespace longtake {

struct Caller {
  // The network the request came from: an IPv4 address, or the part of an IPv6 one that its owner
  // does not choose; through a Unix socket the user. Empty: this program itself, which has no
  // share.
  std::string peer = {};
};

}  // namespace longtake
