// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The options of longtaked: one table that the flags, the environment, the file, --help,
// --print-config and docs/configuration.md all come from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

// Effective values, checked. Bytes and nanoseconds.
struct Config {
  std::string pack;
  std::vector<std::string> layer_paths;
  std::vector<std::string> stages;
  std::string listen;
  std::string listen_mode;
  std::string port_file;
  uint64_t connections_max = 0;  // 0: auto
  uint64_t connection_waste_bytes = 0;
  std::string metrics_listen;
  std::string metrics_port_file;
  uint64_t threads = 0;
  uint64_t tokens_per_sweep = 0;
  std::optional<uint64_t> memory_budget;  // nullopt: "none"
  uint64_t prompt_tokens = 0;
  std::optional<uint64_t> kept_bytes;  // nullopt: "all"
  uint64_t slots = 0;                  // 0: auto
  std::string calibration;
  std::string io;
  int64_t read_timeout_nanos = 0;
  std::string numerics_profile;
  bool start_frames = false;
  std::optional<uint64_t> kv_bytes;  // nullopt: "auto"
  std::string state_dir;
  uint64_t state_bytes = 0;
  std::optional<uint64_t> state_session_bytes;  // nullopt: "auto"
  int64_t retention_nanos = 0;
  int64_t resume_max_nanos = 0;
  uint64_t snapshot_bytes_per_hour = 0;
  uint64_t scrub_bytes_per_second = 0;
  std::string kv_file;
  uint64_t kv_file_bytes = 0;
  uint64_t kv_staging_bytes = 0;
  uint64_t prompt_cache_bytes = 0;
  uint64_t peer_share = 0;  // per cent
  int64_t attached_idle_nanos = 0;
  std::optional<uint64_t> session_bytes;  // nullopt: "auto"
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

struct ConfigOption {
  enum class Type { kText, kAddress, kChoice, kCount, kBytes, kDuration, kFlag, kList, kSpecs };
  // A size that may be a word instead of a number is optional.
  using Field =
      std::variant<std::string Config::*, uint64_t Config::*, std::optional<uint64_t> Config::*,
                   int64_t Config::*, bool Config::*, std::vector<std::string> Config::*>;

  const char* name;  // "kv-bytes": --kv-bytes, LONGTAKE_KV_BYTES, kv-bytes: in the file
  Type type;
  Field field;
  const char* default_text;
  // "a|b" for kChoice; of numbers and sizes the word that may stand instead: "all", "auto"
  const char* choices;
  const char* help;
};

std::span<const ConfigOption> ConfigOptions();

// What stands between a list's entries where they are one text: a colon as in PATH, or, of specs,
// which have colons, a semicolon. Null for what is no list.
const char* ListSeparator(const ConfigOption& option);

// "LONGTAKE_KV_BYTES".
std::string EnvironmentName(const ConfigOption& option);

// Checks and stores one value; a list's entries have its separator between them.
// INVALID_ARGUMENT says what is expected, without the option's name.
absl::Status SetOption(const ConfigOption& option, const std::string& text, Config* config);

// The stored value as it could be written in the file.
std::string OptionText(const ConfigOption& option, const Config& config);

// The table as docs/configuration.md has it.
std::string ConfigOptionsMarkdown();

}  // namespace longtake
