// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

// Set once by StartLog; lines before that (tests) are text at level warning.
std::atomic<bool> log_json{false};

spdlog::logger& Logger() {
  static spdlog::logger logger = [] {
    spdlog::logger made("longtaked", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    made.set_level(spdlog::level::warn);
    made.flush_on(spdlog::level::trace);
    return made;
  }();
  return logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// dump() with replacement, because a message may carry bytes that are not UTF-8.
std::string JsonText(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ValueJson(const LogField& field) {
  return std::visit([](const auto& value) { return JsonText(nlohmann::json(value)); }, field.value);
}

}  // namespace

void StartLog(const std::string& level, const std::string& format) {
  Logger().set_level(spdlog::level::from_str(level));
  log_json = format == "json";
  if (log_json) {
    Logger().set_pattern("{\"time\":\"%Y-%m-%dT%H:%M:%S.%e%z\",\"level\":\"%l\",%v}");
  }
}

void Log(LogLevel level, const std::string& event, std::initializer_list<LogField> fields) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  const std::string line = log_json ? FormatLogJson(event, fields) : FormatLogText(event, fields);
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line));
}

std::string FormatLogText(const std::string& event, std::initializer_list<LogField> fields) {
  std::string out = event;
  for (const LogField& field : fields) {
    const std::string* text = std::get_if<std::string>(&field.value);
    const bool bare = text != nullptr && !text->empty() &&
                      text->find_first_of(" =\"\\\n\r\t") == std::string::npos;
    absl::StrAppend(&out, " ", field.key, "=", bare ? *text : ValueJson(field));
  }
  return out;
}

std::string FormatLogJson(const std::string& event, std::initializer_list<LogField> fields) {
  std::string out = absl::StrCat("\"event\":", JsonText(event));
  for (const LogField& field : fields) {
    absl::StrAppend(&out, ",", JsonText(field.key), ":", ValueJson(field));
  }
  return out;
}

}  // namespace longtake
