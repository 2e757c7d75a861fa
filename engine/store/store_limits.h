// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Fixed limits of a store that a client can meet.
#pragma once

#include <cstdint>

namespace longtake {

// However small they are: all of their rows are in memory.
inline constexpr int64_t kStoredSessionsMax = 100'000;
// A disk that has not answered for so long is not waited for.
inline constexpr int64_t kStoreAnswerSeconds = 30;
// Reading a fork of a fork reads all that it came from.
inline constexpr int64_t kForkGenerationsMax = 32;

}  // namespace longtake
