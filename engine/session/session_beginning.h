// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a session continues that another engine began (engine/serve/saved_take.h), as far as the
// session itself is concerned. A plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/session/attachment.h"
#include "engine/session/inbox.h"

namespace longtake {

struct SessionBeginning {
  Inbox inbox;
  int64_t chunk = 0;  // the first that comes
  int64_t frame = 0;  // its first pixel frame
  int64_t made = 0;   // chunks that it had made before; those from the first on come again
  bool has_start = false;
  std::vector<uint8_t> start = {};  // as much of the frames it begins with as had come
  std::optional<int64_t> create_wall_nanos = {};  // empty: now
  int64_t epoch = 0;                              // how often it was rewound
  SavedAttachment attachment = {};
};

}  // namespace longtake
