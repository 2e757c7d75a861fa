// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/outbox.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

bool Outbox::HasRoom(uint64_t chunk_bytes, uint64_t in_flight_bytes) const {
  if (unsent_bytes_ + in_flight_bytes == 0) return true;
  return unsent_bytes_ + in_flight_bytes + chunk_bytes <= bytes_max_;
}

void Outbox::Put(std::shared_ptr<const MediaChunk> chunk) {
  LT_CHECK(chunk->index == next_chunk_);
  held_bytes_ += chunk->rgb.size();
  if (chunk->index >= next_unsent_) unsent_bytes_ += chunk->rgb.size();
  frame_count_ = chunk->first_frame + chunk->frame_count;
  chunks_.push_back(std::move(chunk));
  ++next_chunk_;
  Evict();
}

absl::Status Outbox::Seek(int64_t chunk) {
  if (chunk < 0) chunk = next_unsent_;
  const int64_t latest = std::max(made_, next_chunk_);
  if (chunk < oldest_chunk() || chunk > latest) {
    return Error(
        Reason::kChunkNotHeld,
        absl::StrCat("chunk ", chunk, " is not held; chunks ", oldest_chunk(), " to ", latest,
                     " can be attached at"),
        {{"oldest_chunk", std::to_string(oldest_chunk())}, {"next_chunk", std::to_string(latest)}});
  }
  next_unsent_ = chunk;
  unsent_bytes_ = 0;
  for (const auto& held : chunks_) {
    if (held->index >= chunk) unsent_bytes_ += held->rgb.size();
  }
  return absl::OkStatus();
}

std::shared_ptr<const MediaChunk> Outbox::Pop() {
  const auto& chunk = chunks_[static_cast<size_t>(next_unsent_ - chunks_.front()->index)];
  unsent_bytes_ -= chunk->rgb.size();
  ++next_unsent_;
  return chunk;
}

void Outbox::Clear() {
  chunks_.clear();
  held_bytes_ = 0;
  unsent_bytes_ = 0;
  next_unsent_ = next_chunk_;
}

void Outbox::Evict() {
  while (held_bytes_ > bytes_max_ && chunks_.front()->index < next_unsent_) {
    held_bytes_ -= chunks_.front()->rgb.size();
    chunks_.pop_front();
  }
}

}  // namespace longtake
