// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/plan/stage_option.h"
#include "server/config_file.h"
#include "server/unix_socket.h"

namespace longtake {
namespace {

constexpr char kAbout[] =
    "longtaked serves long video sessions over gRPC, out of one packed model.\n"
    "Every option can also be set in the environment (--kv-bytes is LONGTAKE_KV_BYTES) or in the\n"
    "YAML file of --config (kv-bytes: 1GiB). A flag beats the environment, which beats the file.\n"
    "Sizes take units (64MiB), durations too (500ms).\n";

struct Flags {
  std::map<std::string, std::string> values;  // by option name
  std::string config_path;
  bool print_config = false;
};

std::string HelpText(const ConfigOption& option) {
  std::string text = option.help;
  if (option.type == ConfigOption::Type::kChoice) absl::StrAppend(&text, " (", option.choices, ")");
  if (option.default_text[0] != '\0') absl::StrAppend(&text, " [", option.default_text, "]");
  return text;
}

const char* ValueName(ConfigOption::Type type) {
  switch (type) {
    case ConfigOption::Type::kAddress:
      return "HOST:PORT";
    case ConfigOption::Type::kChoice:
      return "WORD";
    case ConfigOption::Type::kCount:
      return "NUMBER";
    case ConfigOption::Type::kBytes:
      return "SIZE";
    case ConfigOption::Type::kDuration:
      return "DURATION";
    case ConfigOption::Type::kSpecs:
      return "SPEC";
    default:
      return "PATH";
  }
}

void AddOptions(CLI::App& app, Flags* flags) {
  app.get_formatter()->column_width(34);
  app.set_help_flag("-h,--help", "Print this and exit");
  app.add_option("--config", flags->config_path, "YAML file with options")->type_name("PATH");
  app.add_flag("--print-config", flags->print_config,
               "Print the effective values and where each came from, and exit");
  app.set_version_flag("--version", std::string(LONGTAKE_VERSION));
  for (const ConfigOption& option : ConfigOptions()) {
    const std::string flag = absl::StrCat("--", option.name);
    const auto store = [flags, name = std::string(option.name)](const std::string& value) {
      flags->values[name] = value;
    };
    if (option.type == ConfigOption::Type::kFlag) {
      app.add_flag_function(
          flag, [store](int64_t count) { store(count > 0 ? "true" : "false"); }, HelpText(option));
    } else if (const char* separator = ListSeparator(option); separator != nullptr) {
      const auto store_all = [store, separator](const std::vector<std::string>& values) {
        store(absl::StrJoin(values, separator));
      };
      app.add_option_function<std::vector<std::string>>(flag, store_all, HelpText(option))
          ->type_name(ValueName(option.type))
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      app.add_option_function<std::string>(flag, store, HelpText(option))
          ->type_name(ValueName(option.type))
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
}

// CLI11 throws to say everything; nothing of that leaves this function.
absl::StatusOr<std::optional<std::string>> ParseFlags(std::vector<std::string> arguments,
                                                      Flags* flags) {
  CLI::App app(kAbout, "longtaked");
  AddOptions(app, flags);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForVersion&) {
    return absl::StrCat("longtaked ", LONGTAKE_VERSION, "\n");
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), " (see longtaked --help)"));
  }
  return std::nullopt;
}

std::string PrintConfig(const ConfigResult& result) {
  std::string out;
  for (size_t i = 0; i < ConfigOptions().size(); ++i) {
    const ConfigOption& option = ConfigOptions()[i];
    const std::string line =
        absl::StrCat(option.name, ": ", YamlScalar(OptionText(option, result.config)));
    absl::StrAppendFormat(&out, "%-44s # %s\n", line, result.origins[i]);
  }
  return out;
}

absl::Status Apply(const ConfigOption& option, const std::string& text, const std::string& source,
                   Config* config) {
  const absl::Status status = SetOption(option, text, config);
  if (status.ok()) return status;
  return Annotate(status, absl::StrCat(source, ": ", option.name));
}

// Stages say what else is said of all at once.
absl::Status CheckStages(const Config& config) {
  if (config.stages.empty()) return absl::OkStatus();
  const auto error = [](const std::string& why) { return absl::InvalidArgumentError(why); };
  if (config.stages.size() > 64) return error("stage: must be at most 64");
  if (config.memory_budget.has_value()) {
    return error("memory-budget: with stages each has its own (stage ...,memory=SIZE)");
  }
  if (!config.calibration.empty()) {
    return error("calibration: is of a model in one stage as yet, here are some (stage)");
  }
  return ParseStages(config.stages).status();
}

// Of which a session may take a quarter.
constexpr uint64_t kStateBytesMin = 4 << 20;

// What a single value cannot tell.
absl::Status CheckTogether(const Config& config) {
  const auto error = [](const std::string& why) { return absl::InvalidArgumentError(why); };
  if (config.pack.empty()) return error("pack: a pack directory is required (--pack DIR)");
  if (config.listen.empty()) return error("listen: an address is required");
  if (IsUnixAddress(config.listen) && !config.port_file.empty()) {
    return error("port-file: a Unix socket (listen) has no port");
  }
  if (IsUnixAddress(config.metrics_listen)) {
    return error("metrics-listen: HTTP is served on a port only");
  }
  if (config.connections_max > 1'000'000) return error("connections-max: must be at most 1000000");
  if (config.threads == 0 || config.threads > 1024) return error("threads: must be 1 to 1024");
  if (config.tokens_per_sweep == 0 || config.tokens_per_sweep > (1 << 24)) {
    return error("tokens-per-sweep: must be 1 to 16777216");
  }
  if (config.prompt_tokens == 0 || config.prompt_tokens > 512) {
    return error("prompt-tokens: must be 1 to 512");
  }
  if (config.kv_bytes.has_value() && *config.kv_bytes < (64 << 10)) {
    return error("kv-bytes: must be at least 64KiB");
  }
  if (config.slots > 64) return error("slots: must be at most 64");
  if (config.layer_paths.size() > 16) return error("layer-path: must be at most 16 directories");
  LT_RETURN_IF_ERROR(CheckStages(config));
  if (!config.kv_file.empty() && config.kv_staging_bytes < (1 << 20)) {
    return error("kv-staging-bytes: must be at least 1MiB");
  }
  if (config.sessions_max == 0 || config.sessions_max > 100'000) {
    return error("sessions-max: must be 1 to 100000");
  }
  if (config.peer_share == 0 || config.peer_share > 100) {
    return error("peer-share: must be 1 to 100");
  }
  if (config.session_bytes.has_value() && config.outbox_bytes > *config.session_bytes) {
    return error("outbox-bytes: is more than session-bytes, so no session would fit");
  }
  if (config.state_bytes < kStateBytesMin) {
    return error("state-bytes: must be at least 4MiB; without state-dir nothing is stored");
  }
  if (config.state_session_bytes.has_value()) {
    const uint64_t bytes = *config.state_session_bytes;
    if (config.state_dir.empty()) return error("state-session-bytes: needs state-dir");
    if (bytes < kStateBytesMin / 4) {
      return error("state-session-bytes: must be at least 1MiB, or auto: a quarter of state-bytes");
    }
    if (bytes > config.state_bytes) return error("state-session-bytes: is more than state-bytes");
  }
  if (config.default_ttl_nanos > config.ttl_max_nanos) {
    return error("default-ttl: is more than ttl-max");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConfigResult> LoadConfig(const ConfigSources& sources) {
  ConfigResult result;
  Flags flags;
  LT_ASSIGN_OR_RETURN(result.print, ParseFlags(sources.arguments, &flags));
  if (result.print.has_value()) return result;
  if (flags.config_path.empty()) {
    flags.config_path = sources.environment("LONGTAKE_CONFIG").value_or("");
  }
  std::map<std::string, std::string> file;
  if (!flags.config_path.empty()) {
    LT_ASSIGN_OR_RETURN(file, ReadConfigFile(*sources.files, flags.config_path));
  }
  for (const ConfigOption& option : ConfigOptions()) {
    const std::string variable = EnvironmentName(option);
    const std::optional<std::string> environment = sources.environment(variable);
    if (const auto flag = flags.values.find(option.name); flag != flags.values.end()) {
      LT_RETURN_IF_ERROR(Apply(option, flag->second, "flag", &result.config));
      result.origins.push_back("flag");
    } else if (environment.has_value()) {
      LT_RETURN_IF_ERROR(Apply(option, *environment, variable, &result.config));
      result.origins.push_back("environment");
    } else if (const auto entry = file.find(option.name); entry != file.end()) {
      LT_RETURN_IF_ERROR(Apply(option, entry->second, flags.config_path, &result.config));
      result.origins.push_back("file");
    } else {
      LT_RETURN_IF_ERROR(Apply(option, option.default_text, "default", &result.config));
      result.origins.push_back("default");
    }
  }
  if (flags.print_config) {
    result.print = PrintConfig(result);
    return result;
  }
  LT_RETURN_IF_ERROR(CheckTogether(result.config));
  return result;
}

}  // namespace longtake
