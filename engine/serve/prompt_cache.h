// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The text encoder's states of recent prompts, for the next session with the same prompt: otherwise
// gigabytes of its layers would be read again. Keyed by token ids; the least recently used goes
// first. The states are what the encoder would give, bit for bit. The stage's thread
// only.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <vector>

namespace longtake {

class PromptCache {
 public:
  // The most it holds; with 0 it keeps nothing.
  explicit PromptCache(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // The states [ids, text_dim] of exactly these ids, or null. Valid until the next Put.
  const std::vector<float>* Find(std::span<const int32_t> ids);
  // What is larger than the whole cache is not kept.
  void Put(std::span<const int32_t> ids, std::vector<float> states);

  uint64_t bytes() const { return bytes_; }

 private:
  using Ids = std::vector<int32_t>;
  struct Entry {
    std::vector<float> states;
    std::list<const Ids*>::iterator use = {};
  };

  void DropOldest();

  const uint64_t bytes_max_;
  uint64_t bytes_ = 0;
  std::map<Ids, Entry> entries_;
  std::list<const Ids*> uses_;  // the latest first
};

}  // namespace longtake
