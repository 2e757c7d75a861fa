// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/config_options.h"

#include <limits>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/units.h"
#include "server/unix_socket.h"

namespace longtake {
namespace {

using Type = ConfigOption::Type;

// What sizes are computed in holds no more.
constexpr uint64_t kSizeMax = std::numeric_limits<int64_t>::max() - 1;

constexpr ConfigOption kOptions[] = {
    {"pack", Type::kText, &Config::pack, "", "", "Pack directory made by longtake-pack. Required"},
    {"layer-path", Type::kList, &Config::layer_paths, "", "",
     "Directory on another disk with layers of the pack, as longtake-pack spread writes it; once "
     "for each, in the same order, and layers come from all of them at once"},
    {"stage", Type::kSpecs, &Config::stages, "", "",
     "Part of the model with cores and memory of its own, once for each: "
     "device=cpu:0-3,layers=0-19,memory=3GiB,path=DIR. Layers are dealt evenly where none are "
     "named; "
     "the first stage's cores also do text, decoding and encoding"},
    {"listen", Type::kAddress, &Config::listen, "127.0.0.1:7767", "",
     "Address of the gRPC port; port 0 takes a free one. Or unix:PATH, a socket for users of this "
     "machine"},
    {"listen-mode", Type::kChoice, &Config::listen_mode, "0600", "0600|0660|0666",
     "Who may connect to the socket of unix:PATH: the server's user, its group too, or everybody"},
    {"port-file", Type::kText, &Config::port_file, "", "",
     "File that gets the gRPC port once the server is ready"},
    {"connections-max", Type::kCount, &Config::connections_max, "auto", "auto",
     "gRPC connections at once; auto is 1024, or what the limit of file descriptors allows if that "
     "is less"},
    {"connection-waste-bytes", Type::kBytes, &Config::connection_waste_bytes, "0", "",
     "Closes a connection that sent so much more than became messages; 2MiB for a server that "
     "strangers reach directly, 0 where a proxy stands before it"},
    {"metrics-listen", Type::kAddress, &Config::metrics_listen, "127.0.0.1:9767", "",
     "Address of /metrics over HTTP; empty switches it off"},
    {"metrics-port-file", Type::kText, &Config::metrics_port_file, "", "",
     "File that gets the port of /metrics"},
    {"threads", Type::kCount, &Config::threads, "cores", "cores",
     "Threads that compute: layers, decoding, encoding"},
    {"tokens-per-sweep", Type::kCount, &Config::tokens_per_sweep, "32768", "",
     "Rows of one sweep, of all sessions; bounds the largest picture"},
    {"prompt-tokens", Type::kCount, &Config::prompt_tokens, "512", "",
     "Longest prompt, in tokens, at most 512; every session has text memory for so many"},
    {"memory-budget", Type::kBytes, &Config::memory_budget, "none", "none",
     "Hard limit on everything large: layers, weights, activations, keys and values, sessions; the "
     "process itself takes some 100 MiB more"},
    {"kept-bytes", Type::kBytes, &Config::kept_bytes, "all", "all",
     "Memory for layers that are kept instead of read each sweep; what the budget leaves at most"},
    {"slots", Type::kCount, &Config::slots, "auto", "auto",
     "Layer parts in memory at once while streaming, of the transformer and of the text encoder; "
     "auto is 3 and a layer's parts for each further layer-path, of each its own, or for the "
     "transformer what the calibration says"},
    {"calibration", Type::kText, &Config::calibration, "", "",
     "File that holds what this disk and processor do with the pack, measured when it is missing "
     "(some ten seconds); slots and request size then follow from it, and the plan is logged"},
    {"io", Type::kChoice, &Config::io, "auto", "auto|io_uring|pread",
     "How layers are read; auto is io_uring where the kernel allows it"},
    {"read-timeout", Type::kDuration, &Config::read_timeout_nanos, "30s", "",
     "A disk that answers no read for so long fails the sessions that need it"},
    {"numerics-profile", Type::kChoice, &Config::numerics_profile, "cpu-fma-chain-v1",
     "cpu-fma-chain-v1|cpu-amx-bf16-v1|cuda-sm90-bf16-v1",
     "What bits depend on. cpu-amx-bf16-v1 is several times faster where there is AMX; "
     "cuda-sm90-bf16-v1, for GPUs, is not complete and says what it lacks"},
    {"start-frames", Type::kFlag, &Config::start_frames, "true", "",
     "Keep the VAE's encoder, so that sessions may begin with a picture or a video"},
    {"kv-bytes", Type::kBytes, &Config::kv_bytes, "auto", "auto",
     "Memory for keys and values of all sessions; auto is 1GiB, or a quarter of what the budget "
     "leaves if that is less"},
    {"kv-file", Type::kText, &Config::kv_file, "", "",
     "Directory on a fast disk for a scratch file with the keys and values of sessions that "
     "kv-bytes cannot hold; they come with each layer, which makes sweeps longer"},
    {"kv-file-bytes", Type::kBytes, &Config::kv_file_bytes, "16GiB", "",
     "Size of that file, taken at start"},
    {"kv-staging-bytes", Type::kBytes, &Config::kv_staging_bytes, "256MiB", "",
     "Memory through which keys and values of the file come and go; a session's layer may take up "
     "to 7/16 of it"},
    {"prompt-cache-bytes", Type::kBytes, &Config::prompt_cache_bytes, "32MiB", "",
     "Memory for prompts that were encoded, so that the next session with the same prompt need not "
     "read the text encoder again; 0 keeps none"},
    {"session-bytes", Type::kBytes, &Config::session_bytes, "auto", "auto",
     "Memory for all else of all sessions: outboxes, decoder caches, decoding; auto is 4GiB, or a "
     "quarter as above"},
    {"state-dir", Type::kText, &Config::state_dir, "", "",
     "Directory in which sessions outlive the server: what was promised to a client is written "
     "there "
     "first. Empty: they end with the process"},
    {"state-bytes", Type::kBytes, &Config::state_bytes, "64GiB", "",
     "Disk space for sessions in state-dir; at least 4MiB"},
    {"state-session-bytes", Type::kBytes, &Config::state_session_bytes, "auto", "auto",
     "What one of them may take of it, beside the snapshot that it goes on from: from half of it "
     "on its oldest chunks go; auto is a quarter"},
    {"retention", Type::kDuration, &Config::retention_nanos, "24h", "",
     "How long a session is kept in state-dir once it is out of memory"},
    {"resume-seconds-max", Type::kDuration, &Config::resume_max_nanos, "2m", "",
     "How long a session may take to come back from state-dir: a snapshot of it is written once "
     "that "
     "is foreseen to take longer"},
    {"snapshot-bytes-per-hour", Type::kBytes, &Config::snapshot_bytes_per_hour, "32GiB", "",
     "What all of these may write in an hour, beside one of each session that leaves memory; 0 "
     "makes "
     "none at all"},
    {"scrub-bytes-per-second", Type::kBytes, &Config::scrub_bytes_per_second, "4MiB", "",
     "How fast everything in state-dir is read again once a day, to find damage before a session "
     "needs "
     "what it hit; 0 reads nothing"},
    {"sessions-max", Type::kCount, &Config::sessions_max, "64", "", "Sessions at once"},
    {"peer-share", Type::kCount, &Config::peer_share, "100", "",
     "Per cent of sessions-max, kv-bytes, kv-file-bytes and session-bytes that the sessions of one "
     "client address may take; 100 where a proxy stands before the server, as all come from it"},
    {"outbox-bytes", Type::kBytes, &Config::outbox_bytes, "64MiB", "",
     "Frames held for one session; when full, it waits for its reader"},
    {"default-ttl", Type::kDuration, &Config::default_ttl_nanos, "1m", "",
     "Life of a session without a client, unless it says"},
    {"ttl-max", Type::kDuration, &Config::ttl_max_nanos, "10m", "",
     "The longest ttl a session may ask for"},
    {"attached-idle-timeout", Type::kDuration, &Config::attached_idle_nanos, "10m", "",
     "How long a session waits for an attached client that keeps it paused, does not send its "
     "start "
     "frames or does not take what it is sent; 0s waits for ever"},
    {"reflection", Type::kFlag, &Config::reflection, "false", "",
     "Serve gRPC reflection (v1alpha) for tools such as buf curl"},
    {"log-level", Type::kChoice, &Config::log_level, "info", "debug|info|warning|error",
     "Least severity that is logged"},
    {"log-format", Type::kChoice, &Config::log_format, "text", "text|json",
     "Lines for people or one JSON object per line"},
    {"drain-timeout", Type::kDuration, &Config::drain_timeout_nanos, "10s", "",
     "How long open streams may go on after SIGTERM, and sessions that are kept on disk may be "
     "written down"},
    {"trace", Type::kText, &Config::trace, "", "",
     "File that gets what happened when: reads, layers, decoding; open it in Perfetto"},
};

absl::Status CheckAddress(const std::string& text) {
  if (text.empty() || IsUnixAddress(text)) return absl::OkStatus();
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon > 0) {
    const absl::StatusOr<uint64_t> port = ParseCount(text.substr(colon + 1));
    if (port.ok() && *port <= 65535) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not an address such as 127.0.0.1:7767"));
}

absl::Status CheckChoice(const ConfigOption& option, const std::string& text) {
  for (const absl::string_view choice : absl::StrSplit(option.choices, '|')) {
    if (text == choice) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is none of ", option.choices));
}

bool IsWord(const ConfigOption& option, const std::string& text) {
  return !text.empty() && text == option.choices;
}

absl::StatusOr<uint64_t> ParseCountOf(const ConfigOption& option, const std::string& text) {
  if (!IsWord(option, text)) return ParseCount(text);
  return text == "auto" ? 0 : std::max(1u, std::thread::hardware_concurrency());
}

absl::StatusOr<uint64_t> ParseSize(const std::string& text) {
  LT_ASSIGN_OR_RETURN(const uint64_t bytes, ParseBytes(text));
  if (bytes <= kSizeMax) return bytes;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is too large; at most ", kSizeMax, " bytes"));
}

absl::Status SetSize(const ConfigOption& option, const std::string& text, Config* config) {
  if (const auto* field = std::get_if<uint64_t Config::*>(&option.field)) {
    LT_ASSIGN_OR_RETURN(config->**field, ParseSize(text));
    return absl::OkStatus();
  }
  std::optional<uint64_t>& size =
      config->*std::get<std::optional<uint64_t> Config::*>(option.field);
  if (IsWord(option, text)) {
    size.reset();
    return absl::OkStatus();
  }
  LT_ASSIGN_OR_RETURN(size, ParseSize(text));
  return absl::OkStatus();
}

std::string SizeText(const ConfigOption& option, const Config& config) {
  if (const auto* field = std::get_if<uint64_t Config::*>(&option.field)) {
    return FormatBytes(config.**field);
  }
  const auto& size = config.*std::get<std::optional<uint64_t> Config::*>(option.field);
  return size.has_value() ? FormatBytes(*size) : option.choices;
}

absl::StatusOr<bool> ParseFlag(const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is neither true nor false"));
}

const char* Expected(Type type) {
  switch (type) {
    case Type::kText:
      return "text";
    case Type::kAddress:
      return "host:port";
    case Type::kChoice:
      return "one of";
    case Type::kCount:
      return "number";
    case Type::kBytes:
      return "size";
    case Type::kDuration:
      return "duration";
    case Type::kFlag:
      return "true, false";
    case Type::kList:
    case Type::kSpecs:
      return "list";
  }
  return "";
}

}  // namespace

std::span<const ConfigOption> ConfigOptions() { return kOptions; }

const char* ListSeparator(const ConfigOption& option) {
  if (option.type == Type::kList) return ":";
  return option.type == Type::kSpecs ? ";" : nullptr;
}

std::string EnvironmentName(const ConfigOption& option) {
  return absl::StrCat("LONGTAKE_",
                      absl::AsciiStrToUpper(absl::StrReplaceAll(option.name, {{"-", "_"}})));
}

absl::Status SetOption(const ConfigOption& option, const std::string& text, Config* config) {
  switch (option.type) {
    case Type::kChoice:
      LT_RETURN_IF_ERROR(CheckChoice(option, text));
      break;
    case Type::kAddress:
      LT_RETURN_IF_ERROR(CheckAddress(text));
      break;
    case Type::kText:
      break;
    case Type::kCount: {
      LT_ASSIGN_OR_RETURN(config->*std::get<uint64_t Config::*>(option.field),
                          ParseCountOf(option, text));
      return absl::OkStatus();
    }
    case Type::kBytes:
      return SetSize(option, text, config);
    case Type::kDuration: {
      LT_ASSIGN_OR_RETURN(config->*std::get<int64_t Config::*>(option.field),
                          ParseDurationNanos(text));
      return absl::OkStatus();
    }
    case Type::kFlag: {
      LT_ASSIGN_OR_RETURN(config->*std::get<bool Config::*>(option.field), ParseFlag(text));
      return absl::OkStatus();
    }
    case Type::kList:
    case Type::kSpecs: {
      config->*std::get<std::vector<std::string> Config::*>(option.field) =
          absl::StrSplit(text, ListSeparator(option), absl::SkipEmpty());
      return absl::OkStatus();
    }
  }
  config->*std::get<std::string Config::*>(option.field) = text;
  return absl::OkStatus();
}

std::string OptionText(const ConfigOption& option, const Config& config) {
  switch (option.type) {
    case Type::kText:
    case Type::kAddress:
    case Type::kChoice:
      return config.*std::get<std::string Config::*>(option.field);
    case Type::kCount: {
      const uint64_t count = config.*std::get<uint64_t Config::*>(option.field);
      return count == 0 && option.choices[0] != '\0' ? option.choices : absl::StrCat(count);
    }
    case Type::kBytes:
      return SizeText(option, config);
    case Type::kDuration:
      return FormatDuration(config.*std::get<int64_t Config::*>(option.field));
    case Type::kFlag:
      return config.*std::get<bool Config::*>(option.field) ? "true" : "false";
    case Type::kList:
    case Type::kSpecs:
      return absl::StrJoin(config.*std::get<std::vector<std::string> Config::*>(option.field),
                           ListSeparator(option));
  }
  return "";
}

std::string ConfigOptionsMarkdown() {
  std::string out = "| option | value | default | what it does |\n|---|---|---|---|\n";
  for (const ConfigOption& option : kOptions) {
    std::string value = Expected(option.type);
    if (option.choices[0] != '\0') {
      const std::string choices = absl::StrReplaceAll(option.choices, {{"|", "`, `"}});
      absl::StrAppend(&value, option.type == Type::kChoice ? " `" : " or `", choices, "`");
    }
    const std::string fallback =
        option.default_text[0] == '\0' ? "" : absl::StrCat("`", option.default_text, "`");
    absl::StrAppend(&out, "| `", option.name, "` | ", value, " | ", fallback, " | ", option.help,
                    ". |\n");
  }
  return out;
}

}  // namespace longtake
