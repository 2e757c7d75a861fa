// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/prompt_cache.h"

#include <utility>

namespace longtake {
namespace {

// Of map and list, generously.
constexpr uint64_t kEntryBytes = 256;

uint64_t BytesOf(size_t ids, size_t values) {
  return kEntryBytes + ids * sizeof(int32_t) + values * sizeof(float);
}

}  // namespace

const std::vector<float>* PromptCache::Find(std::span<const int32_t> ids) {
  const auto found = entries_.find(Ids(ids.begin(), ids.end()));
  if (found == entries_.end()) return nullptr;
  uses_.splice(uses_.begin(), uses_, found->second.use);
  return &found->second.states;
}

void PromptCache::Put(std::span<const int32_t> ids, std::vector<float> states) {
  const uint64_t bytes = BytesOf(ids.size(), states.size());
  if (bytes > bytes_max_ || Find(ids) != nullptr) return;
  while (bytes_ > bytes_max_ - bytes) DropOldest();
  const auto [place, is_new] =
      entries_.emplace(Ids(ids.begin(), ids.end()), Entry{.states = std::move(states)});
  uses_.push_front(&place->first);
  place->second.use = uses_.begin();
  bytes_ += bytes;
}

void PromptCache::DropOldest() {
  const auto oldest = entries_.find(*uses_.back());
  bytes_ -= BytesOf(oldest->first.size(), oldest->second.states.size());
  uses_.pop_back();
  entries_.erase(oldest);
}

}  // namespace longtake
