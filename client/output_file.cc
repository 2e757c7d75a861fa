// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

namespace fs = std::filesystem;

// The nearest folder above the path that is there: missing ones would be made in it.
fs::path NearestFolder(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = path.parent_path();
  while (!folder.empty() && folder != folder.parent_path() && !fs::exists(folder, ignored)) {
    folder = folder.parent_path();
  }
  return folder.empty() ? fs::path(".") : folder;
}

}  // namespace

OutputFile::OutputFile(std::string path, Existing existing)
    : path_(std::move(path)), existing_(existing) {}

OutputFile OutputFile::Continue(std::string path, int64_t kept_bytes) {
  OutputFile file(std::move(path), Existing::kContinue);
  file.kept_bytes_ = kept_bytes;
  return file;
}

absl::Status OutputFile::Check() const {
  if (path_ == "-") return absl::OkStatus();
  std::error_code ignored;
  if (fs::is_directory(path_, ignored)) return Failure(EISDIR);
  if (fs::exists(path_, ignored)) {
    return access(path_.c_str(), W_OK) == 0 ? absl::OkStatus() : Failure(errno);
  }
  const fs::path folder = NearestFolder(path_);
  if (!fs::is_directory(folder, ignored)) {
    return absl::UnavailableError(
        absl::StrCat("writing ", path_, ": ", folder.string(), " is not a folder"));
  }
  return access(folder.c_str(), W_OK | X_OK) == 0 ? absl::OkStatus() : Failure(errno);
}

absl::Status OutputFile::Write(const std::string& bytes) {
  if (file_ == nullptr) LT_RETURN_IF_ERROR(Open());
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    return Failure(errno);
  }
  return std::fflush(file_.get()) == 0 ? absl::OkStatus() : Failure(errno);
}

absl::Status OutputFile::Close() {
  std::FILE* file = file_.release();
  if (file == nullptr || file == stdout) return absl::OkStatus();
  return std::fclose(file) == 0 ? absl::OkStatus() : Failure(errno);
}

absl::Status OutputFile::Open() {
  if (path_ == "-") {
    file_.reset(stdout);
    return absl::OkStatus();
  }
  std::error_code ignored;  // opening tells it better
  const fs::path folder = fs::path(path_).parent_path();
  if (!folder.empty()) fs::create_directories(folder, ignored);
  const char* mode = existing_ == Existing::kReplace  ? "wbe"
                     : existing_ == Existing::kRefuse ? "wbxe"
                                                      : "r+be";
  file_.reset(std::fopen(path_.c_str(), mode));
  if (file_ == nullptr) return Failure(errno);
  if (existing_ != Existing::kContinue) return absl::OkStatus();
  const bool cut =
      ftruncate(fileno(file_.get()), kept_bytes_) == 0 && std::fseek(file_.get(), 0, SEEK_END) == 0;
  return cut ? absl::OkStatus() : Failure(errno);
}

absl::Status OutputFile::Failure(int error) const {
  return absl::UnavailableError(absl::StrCat("writing ", path_ == "-" ? "standard output" : path_,
                                             ": ", std::strerror(error)));
}

bool IsSameFile(const std::string& read_path, const std::string& output) {
  std::error_code ignored;  // a file that is not there is not the same
  return fs::equivalent(read_path, output == "-" ? "/dev/stdout" : output, ignored);
}

}  // namespace longtake
