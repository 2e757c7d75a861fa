// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/machine_memory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace longtake {
namespace {

TEST(MachineMemoryTest, ATmpfsIsMemoryAndOthersAreNot) {
  std::ifstream mounts("/proc/mounts");
  std::string device;
  std::string directory;
  std::string type;
  std::string rest;
  int compared = 0;
  while (mounts >> device >> directory >> type && std::getline(mounts, rest)) {
    if (directory != "/dev/shm" && directory != "/proc") continue;
    EXPECT_EQ(IsInMemory(directory), type == "tmpfs") << directory;
    ++compared;
  }
  EXPECT_GT(compared, 0);
  EXPECT_FALSE(IsInMemory("/nonexistent"));
}

}  // namespace
}  // namespace longtake
