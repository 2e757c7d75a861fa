// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long decoding takes, as a calibration measures it and estimates use it. A plain value.
#pragma once

namespace longtake {

// Seconds a pixel of a frame, with all workers; 0: not known.
struct PixelSeconds {
  double full = 0;  // the model's own decoder
  double tiny = 0;
};

}  // namespace longtake
