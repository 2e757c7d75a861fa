// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The options that describe a session, shared by generate and estimate.
#pragma once

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "client/connection.h"

namespace longtake {

// As they were given. Numbers are read by MakeSpec, since the command line's own
// reader takes -1 for 2^64 - 1, 010 for eight and 0x10 for sixteen.
struct SpecOptions {
  std::string prompt;
  std::string negative_prompt;
  std::optional<std::string> guidance;
  std::optional<std::string> seed;
  std::optional<std::string> size;
  std::optional<std::string> fps;
  std::optional<std::string> duration;
  std::optional<std::string> key_plan;
  std::optional<std::string> steps;
  std::optional<std::string> step_count;
  bool tiled_decode = false;
  std::optional<std::string> decoder;
  std::optional<std::string> prompt_switch;
  std::optional<std::string> ttl;
  std::string numerics_profile;
  bool any_numerics = false;
};

void AddSpecOptions(CLI::App& command, SpecOptions& options);

// INVALID_ARGUMENT names the option.
absl::Status CheckUtf8(const std::string& option, const std::string& text);
// INVALID_ARGUMENT names the option. An empty prompt becomes the model's first example.
absl::StatusOr<v1::SessionSpec> MakeSpec(v1::LongtakeService::Stub& stub,
                                         const SpecOptions& options);

}  // namespace longtake
