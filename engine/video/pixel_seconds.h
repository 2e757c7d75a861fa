// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What decoding takes, for those who measure it and those who predict it. A plain value.
#pragma once

namespace longtake {

// Seconds a pixel of a frame, with all workers; 0: not known.
struct PixelSeconds {
  double full = 0;  // the model's own decoder
  double tiny = 0;
};

}  // namespace longtake
