// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Descriptors 0 to 2 of a process that was started without some of them.
#pragma once

namespace longtake {

// Puts something unusable into each that is closed (as by 2>&- in a shell), so that no file or
// connection opened later gets its number, and log lines or messages with it. Reading or writing
// there stays the error it was. First thing in main, before any other thread or file.
void ReserveStandardFiles();

}  // namespace longtake
