// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/file_system.h"

namespace longtake {
namespace {

// Where /proc is not mounted: more than a server has open when it starts.
constexpr int64_t kOpenDescriptorsUnknown = 64;

// RLIM_INFINITY is larger than any number of descriptors.
int64_t Count(rlim_t limit) {
  return static_cast<int64_t>(std::min<rlim_t>(limit, std::numeric_limits<int32_t>::max()));
}

int64_t OpenDescriptors() {
  const auto names = PosixFileSystem().List("/proc/self/fd");
  return names.ok() ? static_cast<int64_t>(names->size()) : kOpenDescriptorsUnknown;
}

}  // namespace

DescriptorLimit RaiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  DescriptorLimit out = {.soft = Count(limit.rlim_cur), .now = Count(limit.rlim_cur)};
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) out.now = Count(limit.rlim_max);
  return out;
}

int64_t FreeDescriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return std::max<int64_t>(0, Count(limit.rlim_cur) - OpenDescriptors());
}

absl::StatusOr<int64_t> ConnectionsAllowed(int64_t asked, int64_t free, int64_t reserve) {
  const int64_t fit = (free - reserve) / kConnectionDescriptors;
  const int64_t needed = std::max<int64_t>(asked, 1);
  if (fit < needed) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "connections-max: ", needed, " connections need ",
        needed * kConnectionDescriptors + reserve, " file descriptors, ", free,
        " are free; raise the limit (ulimit -n, LimitNOFILE=) or lower connections-max"));
  }
  return asked == 0 ? std::min(fit, kConnectionsMaxDefault) : asked;
}

}  // namespace longtake
