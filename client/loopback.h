// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whether a server is on this machine. Pure function.
#pragma once

#include <string>

namespace longtake {

// target: HOST:PORT as gRPC takes it, "dns:///localhost:7767", "ipv4:127.0.0.1:7767" and
// "unix:PATH" included. True for Unix sockets, localhost and the names below it, 127.0.0.0/8, ::1,
// and the unspecified addresses, which connect to this machine, too. Resolves no names.
bool IsLoopbackTarget(const std::string& target);

}  // namespace longtake
