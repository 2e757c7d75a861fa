// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a layer stream got from one of the files that its layers are in. A plain value.
#pragma once

#include <cstdint>
#include <string>

namespace longtake {

struct PathStats {
  std::string file;
  uint64_t bytes_read = 0;
  double wait_seconds = 0;  // the caller blocked on a read from it
};

}  // namespace longtake
