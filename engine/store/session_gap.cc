// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/session_gap.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace longtake {
namespace {

// A client that asks for more meanwhile has no durable session.
constexpr uint64_t kEventBytesMax = 1 << 20;

std::optional<int64_t> ChunkOf(const Record& record) {
  if (const auto* settled = std::get_if<ChunkSettled>(&record)) return settled->chunk;
  if (const auto* decoded = std::get_if<ChunkDecoded>(&record)) return decoded->chunk;
  return std::nullopt;
}

}  // namespace

void SessionGap::Keep(Entry entry) {
  if (given_up_) return;
  const std::optional<int64_t> chunk = ChunkOf(entry.record);
  const auto* decoded = std::get_if<ChunkDecoded>(&entry.record);
  if (decoded != nullptr && decoded->chunk < first_.value_or(INT64_MAX)) {
    before_ = *decoded;
    return;
  }
  if (chunk.has_value() && !first_.has_value()) first_ = chunk;
  bytes_ += entry.bytes;
  if (chunk.has_value()) {
    chunk_bytes_ += entry.bytes;
  } else if (entry.latents == nullptr) {
    event_bytes_ += entry.bytes;
  }
  kept_.push_back({.entry = std::move(entry), .chunk = chunk});
  if (event_bytes_ > kEventBytesMax) GiveUp();
}

void SessionGap::Drop(const Kept& kept) {
  bytes_ -= kept.entry.bytes;
  chunk_bytes_ -= kept.entry.bytes;
  const auto* decoded = std::get_if<ChunkDecoded>(&kept.entry.record);
  if (decoded != nullptr) before_ = *decoded;
}

void SessionGap::DropBefore(int64_t chunk) {
  if (begun_.has_value() || !first_.has_value() || *first_ >= chunk) return;
  std::erase_if(kept_, [&](const Kept& kept) {
    const bool goes = kept.chunk.value_or(chunk) < chunk;
    if (goes) Drop(kept);
    return goes;
  });
  first_ = chunk;
  const bool has_more = std::any_of(kept_.begin(), kept_.end(),
                                    [](const Kept& kept) { return kept.chunk.has_value(); });
  if (!has_more) first_.reset();
}

void SessionGap::DropChunks() {
  if (written_ != 0) return;  // they go in a moment
  begun_.reset();
  std::erase_if(kept_, [&](const Kept& kept) {
    if (kept.chunk.has_value()) Drop(kept);
    return kept.chunk.has_value();
  });
  first_.reset();
}

void SessionGap::Refuse() {
  refused_ = true;
  GiveUp();
}

void SessionGap::GiveUp() {
  if (written_ != 0) return;
  given_up_ = true;
  begun_.reset();
  kept_.clear();
  bytes_ = chunk_bytes_ = event_bytes_ = 0;
  first_.reset();
}

bool SessionGap::MayBegin(int64_t needed, int64_t decoded) const {
  if (given_up_ || begun_.has_value() || !first_.has_value() || *first_ > needed) return false;
  return *first_ <= decoded || (before_.has_value() && before_->chunk + 1 == *first_);
}

std::deque<SessionGap::Entry> SessionGap::Write(int64_t base) {
  std::deque<Entry> entries;
  bool has_begun = false;
  for (const Kept& kept : kept_) {
    if (kept.chunk.has_value() && !std::exchange(has_begun, true)) {
      HistoryBegun begun = {.base = base, .first = *first_};
      if (before_.has_value() && before_->chunk + 1 == *first_) begun.before = before_;
      entries.push_back({.record = begun});
    }
    entries.push_back(kept.entry);
  }
  written_ = kept_.size();
  return entries;
}

std::deque<SessionGap::Entry> SessionGap::TakeRest() {
  std::deque<Entry> rest;
  for (size_t i = written_; i < kept_.size(); ++i) rest.push_back(std::move(kept_[i].entry));
  return rest;
}

void SessionGap::End() {
  begun_.reset();
  written_ = 0;
  if (refused_) GiveUp();
}

}  // namespace longtake
