// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Structured log lines on stderr: an event, which is a fixed phrase, and fields. Text for people or
// one JSON object per line. A session's id belongs here, never into metrics; prompts belong
// nowhere. Any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <variant>

namespace longtake {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  const char* key;
  std::variant<std::string, int64_t, double, bool> value;
};

// "debug", "info", "warning", "error"; "json" or "text". Once, before the threads start.
void StartLog(const std::string& level, const std::string& format);

void Log(LogLevel level, const std::string& event, std::initializer_list<LogField> fields = {});

// One line without time and level, for tests and for Log.
std::string FormatLogText(const std::string& event, std::initializer_list<LogField> fields);
// The same as the inside of a JSON object: "event":"...","key":value.
std::string FormatLogJson(const std::string& event, std::initializer_list<LogField> fields);

}  // namespace longtake
