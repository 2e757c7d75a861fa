// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Structured log lines on stderr: an event, which is a fixed phrase, and fields. Text for people or
// one JSON object per line. A session's id belongs here, never into metrics; prompts belong
// nowhere.
//
// Any thread, and none ever waits for the reader of the log: lines go through a bounded queue
// (server/log_queue.h), and each event has a limit per second (server/log_rate.h). All the same
// nobody logs while holding a lock.
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

// An event is a fixed phrase: what varies goes into fields. Text beyond kLogTextBytesMax is cut.
void Log(LogLevel level, const std::string& event, std::initializer_list<LogField> fields = {});

// Waits until everything logged before is written; false when the time is up first, because nobody
// reads.
bool FlushLog(int64_t timeout_nanos);

// Lines that were not written, since the start.
struct DroppedLogLines {
  uint64_t queue = 0;  // the reader was too slow
  uint64_t rate = 0;   // too many of one event
};
DroppedLogLines CountDroppedLogLines();

// Lines that wait for the reader of the log, and bytes of one field's text.
inline constexpr size_t kLogQueueLinesMax = 4096;
inline constexpr size_t kLogTextBytesMax = 1024;

// One line without time and level, for tests and for Log.
std::string FormatLogText(const std::string& event, std::initializer_list<LogField> fields);
// The same as the inside of a JSON object: "event":"...","key":value.
std::string FormatLogJson(const std::string& event, std::initializer_list<LogField> fields);

}  // namespace longtake
