// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file being written, or standard output. Nothing is made or emptied before the first bytes are
// there: what lies under the name until then may be the only copy of hours of computing. Errors
// carry the name and the system's reason. One thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "base/status_macros.h"

namespace longtake {

class OutputFile {
 public:
  // What the first Write does with a file that is there already: empties it, refuses, or goes on
  // with it.
  enum class Existing { kReplace, kRefuse, kContinue };

  // "-" is standard output.
  explicit OutputFile(std::string path, Existing existing = Existing::kReplace);
  // A file that is there: the first Write cuts it to so many bytes and goes on behind them.
  static OutputFile Continue(std::string path, int64_t kept_bytes);

  // Whether Write could open the file, as far as looking tells. Touches nothing.
  absl::Status Check() const;
  // The first one makes missing folders and opens the file. What was written can be read at once,
  // since a player may be reading along.
  absl::Status Write(const std::string& bytes);
  // Some file systems tell only now that the disk is full. OK when nothing was written.
  absl::Status Close();

 private:
  struct Closer {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };

  absl::Status Open();
  absl::Status Failure(int error) const;

  std::string path_;
  Existing existing_;
  int64_t kept_bytes_ = 0;
  std::unique_ptr<std::FILE, Closer> file_;
};

// Whether writing the output would overwrite or lengthen the file that is read, by whatever name,
// link or redirection: as OutputFile takes it, "-" is standard output.
bool IsSameFile(const std::string& read_path, const std::string& output);

}  // namespace longtake
