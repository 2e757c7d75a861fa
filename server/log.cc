// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/printable_text.h"
#include "server/log_queue.h"
#include "server/log_rate.h"

namespace longtake {
namespace {

// Set once by StartLog; lines before that (tests) are text at level warning.
std::atomic<bool> log_json{false};

std::string Format(const std::string& event, std::initializer_list<LogField> fields) {
  return log_json ? FormatLogJson(event, fields) : FormatLogText(event, fields);
}

std::string GapText(uint64_t lines) {
  return Format("log lines lost, nobody read them", {{"lines", static_cast<int64_t>(lines)}});
}

// Never destroyed: its thread may be stuck in a write for as long as the log's reader pleases.
LogQueue& Queue() {
  static LogQueue* const queue = [] {
    auto made = std::make_unique<LogQueue>(std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                           kLogQueueLinesMax, GapText);
    made->logger().set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    made->logger().set_level(spdlog::level::warn);
    return made.release();
  }();
  return *queue;
}

// What the limit of each event is kept in, for all threads.
struct RateLimit {
  SystemClock clock;
  Mutex mutex;
  LogRate rate ABSL_GUARDED_BY(mutex);
};

RateLimit& Limit() {
  static RateLimit* const limit = std::make_unique<RateLimit>().release();
  return *limit;
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

// With replacement, because a message may carry bytes that are not UTF-8. What could still move a
// terminal's cursor or turn the order of a line becomes an escape that is JSON as well.
std::string JsonText(const nlohmann::json& value) {
  return PrintableText(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string ValueJson(const LogField& field) {
  return std::visit([](const auto& value) { return JsonText(nlohmann::json(value)); }, field.value);
}

// A message may quote what a client sent, which may be long.
LogField Cut(const LogField& field) {
  const std::string* text = std::get_if<std::string>(&field.value);
  if (text == nullptr || text->size() <= kLogTextBytesMax) return field;
  return {field.key, absl::StrCat(text->substr(0, kLogTextBytesMax), "...")};
}

void Put(LogLevel level, const std::string& line) {
  Queue().logger().log(ToSpdlog(level), spdlog::string_view_t(line));
}

void TellLeftOut(const std::vector<LogRate::LeftOut>& events) {
  for (const LogRate::LeftOut& event : events) {
    Put(LogLevel::kWarning,
        Format("more of one event than is logged", {{"of", event.event}, {"more", event.lines}}));
  }
}

}  // namespace

void StartLog(const std::string& level, const std::string& format) {
  spdlog::async_logger& logger = Queue().logger();
  logger.set_level(spdlog::level::from_str(level));
  log_json = format == "json";
  if (log_json) {
    logger.set_pattern("{\"time\":\"%Y-%m-%dT%H:%M:%S.%e%z\",\"level\":\"%l\",%v}");
  }
}

void Log(LogLevel level, const std::string& event, std::initializer_list<LogField> fields) {
  if (!Queue().logger().should_log(ToSpdlog(level))) return;
  std::vector<LogRate::LeftOut> left_out;
  bool admitted = false;
  {
    RateLimit& limit = Limit();
    MutexLock lock(limit.mutex);
    const int64_t now_nanos = limit.clock.MonotonicNanos();
    left_out = limit.rate.TakeLeftOut(now_nanos);
    admitted = limit.rate.Admit(event, now_nanos);
  }
  TellLeftOut(left_out);
  if (admitted) Put(level, Format(event, fields));
}

bool FlushLog(int64_t timeout_nanos) {
  std::vector<LogRate::LeftOut> left_out;
  {
    RateLimit& limit = Limit();
    MutexLock lock(limit.mutex);
    left_out = limit.rate.TakeLeftOut(INT64_MAX);
  }
  TellLeftOut(left_out);
  return Queue().Flush(timeout_nanos);
}

DroppedLogLines CountDroppedLogLines() {
  RateLimit& limit = Limit();
  MutexLock lock(limit.mutex);
  return {.queue = Queue().dropped_lines(), .rate = limit.rate.left_out_lines()};
}

std::string FormatLogText(const std::string& event, std::initializer_list<LogField> fields) {
  std::string out = event;
  for (const LogField& whole : fields) {
    const LogField field = Cut(whole);
    const std::string* text = std::get_if<std::string>(&field.value);
    const bool bare = text != nullptr && !text->empty() &&
                      text->find_first_of(" =\"\\") == std::string::npos &&
                      PrintableText(*text) == *text;
    absl::StrAppend(&out, " ", field.key, "=", bare ? *text : ValueJson(field));
  }
  return out;
}

std::string FormatLogJson(const std::string& event, std::initializer_list<LogField> fields) {
  std::string out = absl::StrCat("\"event\":", JsonText(event));
  for (const LogField& field : fields) {
    absl::StrAppend(&out, ",", JsonText(field.key), ":", ValueJson(Cut(field)));
  }
  return out;
}

}  // namespace longtake
