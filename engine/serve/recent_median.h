// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The median of the latest few values, which some that are far off do not move. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace longtake {

class RecentMedian {
 public:
  void Add(double value) {
    values_[next_] = value;
    next_ = (next_ + 1) % values_.size();
    count_ = std::min(count_ + 1, values_.size());
  }
  // Of an even number the lower one; 0 while there is none.
  double value() const {
    if (count_ == 0) return 0.0;
    std::array<double, kValues> sorted = values_;
    const auto end = sorted.begin() + static_cast<ptrdiff_t>(count_);
    const auto middle = sorted.begin() + static_cast<ptrdiff_t>((count_ - 1) / 2);
    std::nth_element(sorted.begin(), middle, end);
    return *middle;
  }

 private:
  static constexpr size_t kValues = 7;  // three of them may be far off

  std::array<double, kValues> values_ = {};
  size_t count_ = 0;
  size_t next_ = 0;
};

}  // namespace longtake
