// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Activations of the VAE between layers, and the pool their memory comes from: after the first two
// calls of a stream nothing is allocated. What was given back may be taken at once, as all ops of a
// network are in one lane. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "engine/backend/backend.h"
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
  explicit VaeFramePool(Backend& backend) : backend_(&backend) {}

  // A frame of this many floats, contents undefined. RESOURCE_EXHAUSTED; then nothing of the lane
  // is under way, so that the caller's frames may go.
  absl::StatusOr<VaeFrame> Take(int64_t floats);
  absl::StatusOr<std::vector<VaeFrame>> TakeMany(size_t count, int64_t floats);
  void Give(VaeFrame frame);
  void GiveAll(std::vector<VaeFrame>& frames);
  // Gives back what it holds: frames of another size would never be asked for again. Nothing of
  // the lane may be under way.
  void Clear() { free_.clear(); }
  uint64_t bytes() const;  // held, not lent

 private:
  Backend* backend_;
  std::map<uint64_t, std::vector<VaeFrame>> free_;  // by their bytes
};

}  // namespace longtake
