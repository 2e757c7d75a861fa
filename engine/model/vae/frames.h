// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Activations of the VAE between layers, and the pool their memory comes from: after the first two
// calls of a stream nothing is allocated. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "engine/model/vae/cache.h"

namespace longtake {

// Frames of one call, oldest first, each [height, width, channels].
struct VaeFrames {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::vector<VaeFrame> frames;

  int64_t pixels() const { return height * width; }
  int64_t frame_floats() const { return channels * pixels(); }
};

class VaeFramePool {
 public:
  // A frame of this many floats, contents undefined.
  VaeFrame Take(int64_t floats);
  std::vector<VaeFrame> TakeMany(size_t count, int64_t floats);
  void Give(VaeFrame frame);
  void GiveAll(std::vector<VaeFrame>& frames);
  // Forgets what it holds: frames of another size would never be asked for again.
  void Clear() { free_.clear(); }
  uint64_t bytes() const;  // held, not lent

 private:
  std::map<int64_t, std::vector<VaeFrame>> free_;
};

}  // namespace longtake
