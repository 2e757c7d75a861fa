// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long a line of standard output may be.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>

namespace longtake {

// The width of the terminal; a file or a pipe takes lines of 160 columns.
inline size_t OutputColumns() {
  winsize size{};
  const bool terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return terminal ? size.ws_col : 160;
}

}  // namespace longtake
