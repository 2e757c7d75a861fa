// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// gRPC's own log lines, brought into ours.
#pragma once

namespace longtake {

// Before the server is up: everything at debug, because what goes wrong then is told as our own
// error, once.
void QuietGrpcLog();
// From then on: gRPC's errors as warnings, the rest at debug.
void TellGrpcErrors();

}  // namespace longtake
