// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The fixed limits on what a session may ask for; each is a row of docs/limits.md. Model and
// machine may allow less.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longtake {

inline constexpr int64_t kPromptBytesMax = 16 << 10;
inline constexpr int64_t kStepsCountMax = 1000;
inline constexpr int64_t kFrameCountMax = int64_t{1} << 40;
inline constexpr int64_t kSidePixelsMin = 16;
inline constexpr int64_t kSidePixelsMax = 8192;
inline constexpr int64_t kSidePixelsStep = 16;
inline constexpr int64_t kFpsMax = 240;
inline constexpr int64_t kGuidanceMax = 50;
inline constexpr int64_t kStartFramesMax = 321;  // 20 s at 16 frames a second
inline constexpr int64_t kNumericsProfileBytesMax = 64;
inline constexpr size_t kControlIdsMax = 1024;
inline constexpr size_t kPromptChangesMax = 64;

}  // namespace longtake
