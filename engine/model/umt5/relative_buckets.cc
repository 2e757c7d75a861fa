// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/umt5/relative_buckets.h"

namespace longtake {

int64_t RelativeBucket(int64_t key_minus_query) {
  // Smallest distances of buckets 8 to 15.
  constexpr int64_t kThresholds[] = {8, 12, 16, 23, 32, 46, 64, 91};
  const bool after = key_minus_query > 0;
  const int64_t distance = after ? key_minus_query : -key_minus_query;
  int64_t bucket = distance < 8 ? distance : 7;
  for (int64_t threshold : kThresholds) bucket += distance >= threshold ? 1 : 0;
  return after ? bucket + kRelativeBuckets / 2 : bucket;
}

}  // namespace longtake
