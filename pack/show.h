// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A pack directory in words, for people.
#pragma once

#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace longtake {

// Components, layers, bytes per sweep, digest and recipe. Reads headers only.
absl::StatusOr<std::string> ShowPack(FileSystem& files, const std::string& directory);

}  // namespace longtake
