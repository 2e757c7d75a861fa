// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where option values come from: flag, then environment (LONGTAKE_...), then file (--config, YAML),
// then default. Everything is checked before anything is opened. No thread rule; called once.
//
// An unknown flag or key of the file is an error. An unknown LONGTAKE_ variable is not: Kubernetes
// sets some for every service (LONGTAKE_SERVICE_HOST).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "server/config_options.h"

namespace longtake {

struct ConfigSources {
  std::vector<std::string> arguments;  // without the program's name
  std::function<std::optional<std::string>(const std::string& name)> environment;
  FileSystem* files = nullptr;  // for --config
};

struct ConfigResult {
  Config config;
  // One per option, in the table's order: "flag", "environment", "file" or "default".
  std::vector<std::string> origins;
  // Set when the program should print this and end with status 0: --help, --version,
  // --print-config.
  std::optional<std::string> print;
};

// INVALID_ARGUMENT, one line, names the option and where its value came from.
absl::StatusOr<ConfigResult> LoadConfig(const ConfigSources& sources);

}  // namespace longtake
