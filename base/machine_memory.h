// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What memory this process may use, as the kernel tells it. Any thread; nothing where /proc or /sys
// cannot be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace longtake {

// A line of /proc/meminfo, such as MemTotal or MemAvailable, in bytes.
std::optional<uint64_t> MeminfoBytes(const std::string& name);

// Of this process, in RAM now.
std::optional<uint64_t> ResidentBytes();

struct CgroupLimit {
  std::string version;  // "v1" or "v2"
  uint64_t bytes = 0;
};
// The limit on this process's group, and on its parents; "max" and v1's huge default are no limit.
std::optional<CgroupLimit> TightestCgroupLimit();

// The machine's memory or the cgroup's limit, whichever is less.
std::optional<uint64_t> MemoryLimitBytes();

// Whether files in this directory would lie in memory: on a tmpfs or ramfs.
bool IsInMemory(const std::string& directory);

}  // namespace longtake
