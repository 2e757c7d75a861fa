// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace longtake {
namespace {

// Names are ours, but a session's id is the client's.
std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte > 0x7e) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trace>> Trace::Create(const std::string& path) {
  auto trace = std::unique_ptr<Trace>(new Trace);
  MutexLock lock(trace->mutex_);
  trace->file_ = std::fopen(path.c_str(), "w");
  if (trace->file_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("trace: ", path, ": ", std::strerror(errno)));
  }
  std::fputs("[\n", trace->file_);
  return trace;
}

Trace::~Trace() {
  MutexLock lock(mutex_);
  if (file_ == nullptr) return;
  // Readers accept an array without its end, so a killed program leaves a trace, too.
  std::fputs("{}]\n", file_);
  std::fclose(file_);
}

int Trace::RowNumber(const std::string& row) {
  const auto [found, is_new] = rows_.try_emplace(row, static_cast<int>(rows_.size()) + 1);
  if (is_new) {
    absl::FPrintF(
        file_,
        "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":%s}},\n",
        found->second, Quoted(row));
  }
  return found->second;
}

void Trace::Span(const std::string& row, const std::string& name, int64_t start_nanos,
                 int64_t end_nanos, const std::string& detail) {
  MutexLock lock(mutex_);
  if (spans_ == kSpansMax) return;
  ++spans_;
  const int number = RowNumber(row);
  const std::string arguments =
      detail.empty() ? "" : absl::StrCat(",\"args\":{\"detail\":", Quoted(detail), "}");
  absl::FPrintF(file_,
                "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"name\":%s,\"ts\":%.3f,\"dur\":%.3f%s},\n",
                number, Quoted(name), static_cast<double>(start_nanos) / 1e3,
                static_cast<double>(end_nanos - start_nanos) / 1e3, arguments);
}

}  // namespace longtake
