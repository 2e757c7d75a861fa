// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/machine_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

namespace longtake {
namespace {

TEST(MachineMemoryTest, ATmpfsIsMemoryAndOthersAreNot) {
  std::ifstream mounts("/proc/mounts");
  std::string device;
  std::string directory;
  std::string type;
  std::string rest;
  std::map<std::string, std::string> types;  // the last one mounted on a directory counts
  while (mounts >> device >> directory >> type && std::getline(mounts, rest)) {
    types[directory] = type;
  }
  EXPECT_FALSE(IsInMemory("/nonexistent"));
  EXPECT_EQ(types["/proc"], "proc");
  EXPECT_FALSE(IsInMemory("/proc"));
  if (types["/dev/shm"] != "tmpfs") GTEST_SKIP() << "/dev/shm is no tmpfs here";
  EXPECT_TRUE(IsInMemory("/dev/shm"));
}

}  // namespace
}  // namespace longtake
