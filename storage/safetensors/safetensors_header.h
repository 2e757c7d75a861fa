// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The JSON header of a .safetensors file as a pure function, the part that hostile bytes reach.
// Memory stays within a small multiple of the header's size whatever it holds. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

struct SafetensorsEntry {
  std::string name;
  std::string dtype_name;  // as written: "BF16"; see DTypeFromName
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;        // sorted by name
  std::map<std::string, std::string> metadata;  // "__metadata__", empty when absent
};

// data_offset: where the data begins in the file; data_bytes: how much there is. INVALID_ARGUMENT
// naming the tensor; the caller adds the file.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text,
                                                         uint64_t data_offset, uint64_t data_bytes);

}  // namespace longtake
