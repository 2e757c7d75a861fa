// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/core_set.h"

#include <sched.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/units.h"

namespace longtake {
namespace {

static_assert(CoreSet::kCoresMax <= CPU_SETSIZE);

absl::Status AddRange(const std::string& text, std::set<int>& cores) {
  const std::pair<std::string, std::string> ends = absl::StrSplit(text, absl::MaxSplits('-', 1));
  const bool is_range = text.find('-') != std::string::npos;
  const absl::StatusOr<uint64_t> first = ParseCount(ends.first);
  const absl::StatusOr<uint64_t> last = is_range ? ParseCount(ends.second) : first;
  if (!first.ok() || !last.ok() || *last < *first) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no core or range of cores, as in 0-3+8"));
  }
  if (*last >= CoreSet::kCoresMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\": cores are below ", CoreSet::kCoresMax));
  }
  for (auto core = static_cast<int>(*first); core <= static_cast<int>(*last); ++core) {
    if (!cores.insert(core).second) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": core ", core, " twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CoreSet> CoreSet::Parse(const std::string& text) {
  std::set<int> cores;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, '+'))) {
    LT_RETURN_IF_ERROR(AddRange(part, cores));
  }
  return CoreSet(std::move(cores));
}

CoreSet CoreSet::Allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  LT_CHECK(::sched_getaffinity(0, sizeof(set), &set) == 0);
  std::set<int> cores;
  for (int core = 0; core < kCoresMax; ++core) {
    if (CPU_ISSET(core, &set)) cores.insert(core);
  }
  LT_CHECK(!cores.empty());
  return CoreSet(std::move(cores));
}

bool CoreSet::Overlaps(const CoreSet& other) const {
  return std::any_of(cores_.begin(), cores_.end(), [&](int core) { return other.Has(core); });
}

absl::Status CoreSet::CheckAllowed() const {
  const CoreSet allowed = Allowed();
  for (const int core : cores_) {
    if (allowed.Has(core)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("core ", core, " is none of this process; it has ", allowed.ToText()));
  }
  return absl::OkStatus();
}

std::string CoreSet::ToText() const {
  std::vector<std::string> parts;
  for (auto first = cores_.begin(); first != cores_.end();) {
    auto last = first;
    auto next = std::next(first);
    while (next != cores_.end() && *next == *last + 1) last = next++;
    parts.push_back(first == last ? absl::StrCat(*first) : absl::StrCat(*first, "-", *last));
    first = next;
  }
  return absl::StrJoin(parts, "+");
}

bool CoreSet::StayHere() const {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores_) CPU_SET(core, &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
}

}  // namespace longtake
