// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Processor cores by the system's numbers, for workers that are to stay on some of them. A plain
// value, never empty.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "base/status_macros.h"

namespace longtake {

class CoreSet {
 public:
  static constexpr int kCoresMax = 1024;  // numbers are below it

  // Numbers and ranges with a + between them: "0-3+8". INVALID_ARGUMENT quotes the part that is
  // none, names a core twice or goes beyond kCoresMax.
  static absl::StatusOr<CoreSet> Parse(const std::string& text);
  // Those that the calling thread may run on, and with it the threads that it starts.
  static CoreSet Allowed();

  int count() const { return static_cast<int>(cores_.size()); }
  bool Has(int core) const { return cores_.contains(core); }
  bool Overlaps(const CoreSet& other) const;
  // FAILED_PRECONDITION names the first core that the calling thread may not run on.
  absl::Status CheckAllowed() const;
  std::string ToText() const;  // as Parse takes it, in order

  // From now on the calling thread runs on these alone. False where the system does not let it,
  // which then changed nothing.
  bool StayHere() const;

  friend bool operator==(const CoreSet&, const CoreSet&) = default;

 private:
  explicit CoreSet(std::set<int> cores) : cores_(std::move(cores)) {}

  std::set<int> cores_;
};

}  // namespace longtake
