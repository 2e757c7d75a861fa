// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/frames.h"

namespace longtake {

absl::StatusOr<VaeFrame> VaeFramePool::Take(int64_t floats) {
  const uint64_t bytes = static_cast<uint64_t>(floats) * sizeof(float);
  std::vector<VaeFrame>& free = free_[bytes];
  if (free.empty()) {
    absl::StatusOr<VaeFrame> made = backend_->device().Allocate(bytes, nullptr);
    if (!made.ok()) LT_RETURN_IF_ERROR(backend_->Await());
    return made;
  }
  VaeFrame frame = std::move(free.back());
  free.pop_back();
  return frame;
}

absl::StatusOr<std::vector<VaeFrame>> VaeFramePool::TakeMany(size_t count, int64_t floats) {
  std::vector<VaeFrame> frames(count);
  for (VaeFrame& frame : frames) {
    LT_ASSIGN_OR_RETURN(frame, Take(floats));
  }
  return frames;
}

void VaeFramePool::Give(VaeFrame frame) {
  const uint64_t bytes = frame.size();
  free_[bytes].push_back(std::move(frame));
}

void VaeFramePool::GiveAll(std::vector<VaeFrame>& frames) {
  for (VaeFrame& frame : frames) Give(std::move(frame));
  frames.clear();
}

uint64_t VaeFramePool::bytes() const {
  uint64_t sum = 0;
  for (const auto& [bytes, frames] : free_) sum += bytes * frames.size();
  return sum;
}

}  // namespace longtake
