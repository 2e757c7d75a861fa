// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The options of longtaked: one table that the flags, the environment, the file, --help,
// --print-config and docs/configuration.md all come from.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <variant>

#include "base/status_macros.h"

namespace longtake {

// Effective values, checked. Bytes and nanoseconds.
struct Config {
  std::string pack;
  std::string listen;
  std::string port_file;
  uint64_t connections_max = 0;  // 0: auto
  std::string metrics_listen;
  std::string metrics_port_file;
  uint64_t threads = 0;
  uint64_t tokens_per_sweep = 0;
  uint64_t memory_budget = 0;  // kWordNumber: none
  uint64_t prompt_tokens = 0;
  uint64_t pinned_bytes = 0;  // kWordNumber: all
  uint64_t slots = 0;         // 0: auto
  std::string calibration;
  std::string io;
  int64_t read_timeout_nanos = 0;
  std::string numerics_profile;
  bool start_frames = false;
  uint64_t kv_bytes = 0;  // kWordNumber: auto
  std::string kv_file;
  uint64_t kv_file_bytes = 0;
  uint64_t kv_staging_bytes = 0;
  uint64_t prompt_cache_bytes = 0;
  uint64_t peer_share = 0;  // per cent
  int64_t attached_idle_nanos = 0;
  uint64_t session_bytes = 0;  // kWordNumber: auto
  uint64_t sessions_max = 0;
  uint64_t outbox_bytes = 0;
  int64_t default_ttl_nanos = 0;
  int64_t ttl_max_nanos = 0;
  bool reflection = false;
  std::string log_level;
  std::string log_format;
  int64_t drain_timeout_nanos = 0;
  std::string trace;
};

// What a size is when its option holds its word instead: "all", "auto", "none".
inline constexpr uint64_t kWordNumber = std::numeric_limits<int64_t>::max();

struct ConfigOption {
  enum class Type { kText, kAddress, kChoice, kCount, kBytes, kDuration, kFlag };
  using Field =
      std::variant<std::string Config::*, uint64_t Config::*, int64_t Config::*, bool Config::*>;

  const char* name;  // "kv-bytes": --kv-bytes, LONGTAKE_KV_BYTES, kv-bytes: in the file
  Type type;
  Field field;
  const char* default_text;
  const char* choices;  // "a|b" for kChoice; a word that stands for a number: "all", "auto"
  const char* help;
};

std::span<const ConfigOption> ConfigOptions();

// "LONGTAKE_KV_BYTES".
std::string EnvironmentName(const ConfigOption& option);

// Checks and stores one value. INVALID_ARGUMENT says what is expected, without the option's name.
absl::Status SetOption(const ConfigOption& option, const std::string& text, Config* config);

// The stored value as it could be written in the file.
std::string OptionText(const ConfigOption& option, const Config& config);

// The table as docs/configuration.md has it.
std::string ConfigOptionsMarkdown();

}  // namespace longtake
