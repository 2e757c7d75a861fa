// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A directory of the real file system that is gone with the object.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file_system.h"

namespace longtake {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(::testing::TempDir() + "longtake_XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return JoinPath(path_, name); }

 private:
  std::string path_;
};

}  // namespace longtake
