// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Pictures for the media tests, and how far a decoded one is from its original.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "media/frames.h"

namespace longtake {

// Frames first..first+count-1 of one endless take: a soft gradient, a disc and a bar that move.
std::vector<uint8_t> MovingShapes(FrameSize size, int64_t first, int count);

// Independent grey pixels. Grey, because 4:2:0 cannot hold noise in colour whatever the encoder.
std::vector<uint8_t> GreyNoise(FrameSize size, int count, uint32_t seed);

// Peak signal-to-noise ratio over all channels, dB; 99 for equal pictures.
double PsnrDb(std::span<const uint8_t> a, std::span<const uint8_t> b);

}  // namespace longtake
