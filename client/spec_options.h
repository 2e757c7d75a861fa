// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The options that describe a session, shared by generate and estimate.
#pragma once

#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"
#include "client/connection.h"

namespace longtake {

struct SpecOptions {
  std::string prompt;
  std::string negative_prompt;
  double guidance = 0.0;
  uint64_t seed = 0;
  std::string size;
  int fps = 0;
  std::string duration;
  std::string key_plan;
  std::string steps;
  int step_count = 0;
  bool tiled_decode = false;
  std::string decoder;
  std::string prompt_switch;
  std::string ttl;
  std::string numerics_profile;
  bool any_numerics = false;
  bool has_guidance = false;
};

void AddSpecOptions(CLI::App& command, SpecOptions& options);

// INVALID_ARGUMENT names the option.
absl::Status CheckUtf8(const std::string& option, const std::string& text);
// INVALID_ARGUMENT names the option. An empty prompt becomes the model's first example.
absl::StatusOr<v1::SessionSpec> MakeSpec(v1::LongtakeService::Stub& stub,
                                         const SpecOptions& options);

}  // namespace longtake
