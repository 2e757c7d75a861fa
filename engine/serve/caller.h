// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who asks for something: a plain value that goes with a request from the server into the engine.
#pragma once

#include <string>

namespace longtake {

struct Caller {
  // The network the request came from, one address or what one owner of addresses usually has.
  // Empty: this program itself, which no share is meant for.
  std::string peer = {};
};

}  // namespace longtake
