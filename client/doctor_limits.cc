// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/fd.h"
#include "base/machine_memory.h"
#include "client/doctor_checks.h"

namespace longtake {
namespace {

// The largest part of a large model, and how many there are for each path.
constexpr uint64_t kSlotMebibytes = 160;
constexpr uint64_t kSlotsOfPath = 3;

double Gigabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

}  // namespace

Finding CheckMemlock(size_t paths) {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) {
    return {Finding::Level::kGood, "memlock", "unlimited", ""};
  }
  Finding finding{Finding::Level::kGood, "memlock",
                  absl::StrFormat("%.2f GB", Gigabytes(limit.rlim_cur)), ""};
  const uint64_t mebibytes = kSlotMebibytes * paths * (kSlotsOfPath * paths);
  if (limit.rlim_cur < mebibytes << 20) {
    finding.level = Finding::Level::kNote;
    finding.advice = absl::StrCat("large models register up to ", mebibytes,
                                  " MiB of read buffers; raise ulimit -l or LimitMEMLOCK=");
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
      "choose --kept-bytes, --kv-bytes and --session-bytes of longtaked to fit in it"};
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
