// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file being written, or standard output. Errors carry the name and the system's reason.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace longtake {

class OutputFile {
 public:
  // "-" is standard output. Makes missing folders.
  static absl::StatusOr<OutputFile> Create(const std::string& path) {
    if (path == "-") return OutputFile(path, stdout);
    std::error_code ignored;  // opening tells it better
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) return Failure(path);
    return OutputFile(path, file);
  }

  absl::Status Write(const std::string& bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
      return Failure(path_);
    }
    // A player may be reading along.
    return std::fflush(file_.get()) == 0 ? absl::OkStatus() : Failure(path_);
  }

 private:
  struct Closer {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };

  OutputFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  static absl::Status Failure(const std::string& path) {
    return absl::UnavailableError(absl::StrCat("writing ", path, ": ", std::strerror(errno)));
  }

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace longtake
