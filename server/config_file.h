// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The YAML file of --config: one mapping from option names to plain values.
#pragma once

#include <map>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace longtake {

// path may be a pipe, such as /dev/stdin. INVALID_ARGUMENT names file and line: not YAML, not a
// flat mapping, a key that is no option or appears twice, a second document, a control character. A
// device, socket or directory is FAILED_PRECONDITION.
absl::StatusOr<std::map<std::string, std::string>> ReadConfigFile(FileSystem& files,
                                                                  const std::string& path);

// The text as a YAML value, quoted when it would read as something else.
std::string YamlScalar(const std::string& text);

}  // namespace longtake
