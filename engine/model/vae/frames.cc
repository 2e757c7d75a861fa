// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/frames.h"

namespace longtake {

VaeFrame VaeFramePool::Take(int64_t floats) {
  std::vector<VaeFrame>& free = free_[floats];
  if (free.empty()) return VaeFrame(static_cast<size_t>(floats));
  VaeFrame frame = std::move(free.back());
  free.pop_back();
  return frame;
}

std::vector<VaeFrame> VaeFramePool::TakeMany(size_t count, int64_t floats) {
  std::vector<VaeFrame> frames;
  for (size_t i = 0; i < count; ++i) frames.push_back(Take(floats));
  return frames;
}

void VaeFramePool::Give(VaeFrame frame) {
  const auto floats = static_cast<int64_t>(frame.size());
  free_[floats].push_back(std::move(frame));
}

void VaeFramePool::GiveAll(std::vector<VaeFrame>& frames) {
  for (VaeFrame& frame : frames) Give(std::move(frame));
  frames.clear();
}

uint64_t VaeFramePool::bytes() const {
  uint64_t sum = 0;
  for (const auto& [floats, frames] : free_) {
    sum += static_cast<uint64_t>(floats) * sizeof(float) * frames.size();
  }
  return sum;
}

}  // namespace longtake
