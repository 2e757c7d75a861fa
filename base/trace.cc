// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include <span>
#include <utility>

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

absl::StatusOr<std::unique_ptr<Trace>> Trace::Create(FileSystem& files, const std::string& path,
                                                     Tell tell) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Create(path);
  if (!file.ok()) return Annotate(file.status(), "trace");
  return std::unique_ptr<Trace>(new Trace(*std::move(file), std::move(tell)));
}

Trace::Trace(std::unique_ptr<File> file, Tell tell)
    : file_(std::move(file)), tell_(std::move(tell)), unwritten_("[\n") {
  writer_ = std::thread([this] { WriteAll(); });
}

Trace::~Trace() {
  {
    MutexLock lock(mutex_);
    // Readers accept an array without its end, so a killed program leaves a trace, too.
    unwritten_ += "{}]\n";
    ending_ = true;
    changed_.NotifyOne();
  }
  writer_.join();
}

int Trace::TrackNumber(const std::string& track) {
  const auto [found, is_new] = tracks_.try_emplace(track, static_cast<int>(tracks_.size()) + 1);
  if (is_new) {
    absl::StrAppendFormat(
        &unwritten_,
        "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":%s}},\n",
        found->second, Quoted(track));
  }
  return found->second;
}

bool Trace::IsFull() const {
  return spans_ == kSpansMax || unwritten_.size() >= kUnwrittenBytesMax;
}

void Trace::Span(const std::string& track, const std::string& name, int64_t start_nanos,
                 int64_t end_nanos, const std::string& detail) {
  {
    MutexLock lock(mutex_);
    if (failed_) return;
    if (!IsFull()) {
      AddSpan(track, name, start_nanos, end_nanos, detail);
      return;
    }
    if (std::exchange(full_told_, true)) return;
  }
  tell_(absl::ResourceExhaustedError(
      absl::StrCat(file_->path(),
                   ": spans are left out from here on, because there are too many or "
                   "the disk takes them too slowly")));
}

void Trace::AddSpan(const std::string& track, const std::string& name, int64_t start_nanos,
                    int64_t end_nanos, const std::string& detail) {
  ++spans_;
  const int number = TrackNumber(track);
  const std::string arguments =
      detail.empty() ? "" : absl::StrCat(",\"args\":{\"detail\":", Quoted(detail), "}");
  absl::StrAppendFormat(
      &unwritten_, "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"name\":%s,\"ts\":%.3f,\"dur\":%.3f%s},\n",
      number, Quoted(name), static_cast<double>(start_nanos) / 1e3,
      static_cast<double>(end_nanos - start_nanos) / 1e3, arguments);
  changed_.NotifyOne();
}

std::string Trace::TakeUnwritten() {
  MutexLock lock(mutex_);
  while (unwritten_.empty() && !ending_) changed_.Wait(mutex_);
  return std::exchange(unwritten_, {});
}

void Trace::WriteAll() {
  uint64_t position = 0;
  absl::Status status;
  while (status.ok()) {
    const std::string text = TakeUnwritten();
    if (text.empty()) break;
    status = file_->WriteAt(position, std::as_bytes(std::span(text)));
    position += text.size();
  }
  if (status.ok()) status = file_->Sync();
  if (status.ok()) return;
  {
    MutexLock lock(mutex_);
    failed_ = true;
    unwritten_.clear();
  }
  tell_(status);
}

}  // namespace longtake
