// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What longtake needs of a machine, one finding per check, each with what to do about it. Reads the
// system and a scratch file; changes nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/file_system.h"

namespace longtake {

struct Finding {
  enum class Level { kGood, kNote, kProblem };
  Level level = Level::kGood;
  std::string what;    // "io_uring"
  std::string value;   // "works, with direct reads"
  std::string advice;  // empty when there is nothing to do
};

Finding CheckInstructionSet();
Finding CheckNumerics();
// Both write and read a scratch file without a name in directory.
Finding CheckIoUring(FileSystem& files, const std::string& directory);
Finding CheckDiskRate(FileSystem& files, const std::string& directory);
Finding CheckFreeSpace(FileSystem& files, const std::string& directory);
// Whether layer paths are on a disk each.
Finding CheckDisksApart(FileSystem& files, const std::vector<std::string>& layer_paths);
// Of layers that are read over so many paths, each of which registers all slots.
Finding CheckMemlock(size_t paths);
Finding CheckMemory();
// The tighter of cgroup v1 and v2, where this process is in one.
Finding CheckCgroup();
Finding CheckPort(int port, const std::string& purpose);

}  // namespace longtake
