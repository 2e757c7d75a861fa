// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fd.h"
#include "client/doctor_checks.h"

namespace longtake {
namespace {

double Gigabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

// Pseudo files report no size, so they are read as they come.
std::optional<std::string> ReadSystemFile(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  if (file == nullptr) return std::nullopt;
  std::string text(64 << 10, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

// A line "name: value kB" of /proc/meminfo, in bytes.
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

struct CgroupLimit {
  std::string version;
  uint64_t bytes = 0;
};

// The limit on this process's group, and on its parents; "max" and v1's huge default are no limit.
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

}  // namespace

Finding CheckMemlock() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) {
    return {Finding::Level::kGood, "memlock", "unlimited", ""};
  }
  Finding finding{Finding::Level::kGood, "memlock",
                  absl::StrFormat("%.2f GB", Gigabytes(limit.rlim_cur)), ""};
  // Three slots of the largest part.
  if (limit.rlim_cur < uint64_t{480} << 20) {
    finding.level = Finding::Level::kNote;
    finding.advice =
        "large models register up to 480 MiB of read buffers; raise ulimit -l or LimitMEMLOCK=";
  }
  return finding;
}

Finding CheckMemory() {
  const auto total = MeminfoBytes("MemTotal");
  const auto available = MeminfoBytes("MemAvailable");
  if (!total || !available) {
    return {Finding::Level::kNote, "memory", "/proc/meminfo cannot be read", "mount /proc"};
  }
  return {Finding::Level::kGood, "memory",
          absl::StrFormat("%.1f GB, %.1f GB available", Gigabytes(*total), Gigabytes(*available)),
          ""};
}

Finding CheckCgroup() {
  const auto limit = TightestCgroupLimit();
  if (!limit) return {Finding::Level::kGood, "cgroup", "no memory limit", ""};
  return {
      Finding::Level::kNote, "cgroup",
      absl::StrFormat("memory limited to %.2f GB (%s)", Gigabytes(limit->bytes), limit->version),
      "choose --pinned-bytes, --kv-bytes and --session-bytes of longtaked to fit in it"};
}

Finding CheckPort(int port, const std::string& purpose) {
  const std::string what = absl::StrCat("port ", port);
  Fd socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int reuse = 1;
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(socket_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    return {Finding::Level::kGood, what, absl::StrCat("free for ", purpose), ""};
  }
  return {Finding::Level::kNote, what,
          absl::StrCat("taken (", std::strerror(errno), "); is longtaked already running?"),
          absl::StrCat("otherwise give longtaked another address for ", purpose)};
}

}  // namespace longtake
