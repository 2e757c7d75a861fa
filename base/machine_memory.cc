// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/machine_memory.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace longtake {
namespace {

// Pseudo files report no size, so they are read as they come.
std::optional<std::string> ReadSystemFile(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  if (file == nullptr) return std::nullopt;
  std::string text(64 << 10, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

}  // namespace

std::optional<uint64_t> MeminfoBytes(const std::string& name) {
  const auto text = ReadSystemFile("/proc/meminfo");
  if (!text) return std::nullopt;
  for (const auto line : absl::StrSplit(*text, '\n')) {
    if (!absl::StartsWith(line, name + ":")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t kilobytes = 0;
    if (words.size() >= 2 && absl::SimpleAtoi(words[1], &kilobytes)) return kilobytes * 1024;
  }
  return std::nullopt;
}

std::optional<uint64_t> ResidentBytes() {
  const auto text = ReadSystemFile("/proc/self/statm");
  if (!text) return std::nullopt;
  const std::vector<std::string> words = absl::StrSplit(*text, ' ');
  uint64_t pages = 0;
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &pages)) return std::nullopt;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<CgroupLimit> TightestCgroupLimit() {
  std::optional<CgroupLimit> tightest;
  const auto groups = ReadSystemFile("/proc/self/cgroup");
  if (!groups) return tightest;
  for (const auto line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const bool v2 = fields[0] == "0";
    if (!v2 && fields[1] != "memory") continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string name = v2 ? "/memory.max" : "/memory.limit_in_bytes";
    for (std::string group = fields[2] == "/" ? "" : fields[2];; group.resize(group.rfind('/'))) {
      const auto text = ReadSystemFile(root + group + name);
      uint64_t bytes = 0;
      if (text && absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &bytes) &&
          bytes < (uint64_t{1} << 60) && (!tightest || bytes < tightest->bytes)) {
        tightest = CgroupLimit{v2 ? "v2" : "v1", bytes};
      }
      if (group.empty()) break;
    }
  }
  return tightest;
}

std::optional<uint64_t> MemoryLimitBytes() {
  std::optional<uint64_t> limit = MeminfoBytes("MemTotal");
  const auto cgroup = TightestCgroupLimit();
  if (cgroup) limit = std::min(limit.value_or(cgroup->bytes), cgroup->bytes);
  return limit;
}

bool IsInMemory(const std::string& directory) {
  struct statfs info;
  if (statfs(directory.c_str(), &info) != 0) return false;
  return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
}

}  // namespace longtake
