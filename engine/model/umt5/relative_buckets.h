// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The relative position buckets of UMT5 (docs/spec 5.1), as integers: the published formula takes
// logarithms, whose floor must not depend on a math library.
#pragma once

#include <cstdint>

namespace longtake {

inline constexpr int64_t kRelativeBuckets = 32;
inline constexpr int64_t kRelativeDistanceMax = 128;

// Bucket of key - query: 16 per direction, the first 8 exact, the rest logarithmic.
int64_t RelativeBucket(int64_t key_minus_query);

}  // namespace longtake
