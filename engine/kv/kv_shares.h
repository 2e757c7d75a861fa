// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session's room for its K/V on every stage: on all of them in the pool, or on all in the file.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "engine/kv/kv_memory.h"

namespace longtake {

// Move only; it must outlive the frames that are made in it.
class KvShares {
 public:
  KvShares() = default;
  explicit KvShares(std::vector<std::unique_ptr<KvShare>> of_stages)
      : of_stages_(std::move(of_stages)) {}

  size_t stage_count() const { return of_stages_.size(); }
  KvShare& stage(size_t number) const { return *of_stages_[number]; }
  // Of one that is room.
  bool in_file() const { return of_stages_.front()->in_file(); }
  std::unique_ptr<KvShare> Take(size_t stage) { return std::move(of_stages_[stage]); }

 private:
  std::vector<std::unique_ptr<KvShare>> of_stages_;
};

// K and V of one latent frame, of each stage's layers.
using KvFrames = std::vector<KvFrame>;

}  // namespace longtake
