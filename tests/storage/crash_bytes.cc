// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/storage/crash_bytes.h"

#include <algorithm>

namespace longtake {

CrashChoice::CrashChoice(uint64_t seed) : random_(seed) {
  sector_bytes_ = random_() % 2 == 0 ? 512 : 4096;
  constexpr uint64_t kChances[][2] = {{0, 8}, {8, 0}, {0, 0}, {1, 6}, {6, 1}};
  const auto& chances = kChances[random_() % 5];
  kept_of_8_ = chances[0];
  lost_of_8_ = chances[1];
}

size_t CrashChoice::Pick(size_t changes) {
  const uint64_t drawn = random_() % 8;
  if (drawn < kept_of_8_) return changes;
  if (drawn < kept_of_8_ + lost_of_8_) return 0;
  return random_() % (changes + 1);
}

CrashBytes::Block CrashBytes::BlockOf(const std::vector<std::byte>& bytes, uint64_t block) {
  Block out(kBlockBytes);
  const size_t begin = std::min<size_t>(block * kBlockBytes, bytes.size());
  const size_t end = std::min<size_t>(begin + kBlockBytes, bytes.size());
  std::copy(bytes.begin() + static_cast<ptrdiff_t>(begin),
            bytes.begin() + static_cast<ptrdiff_t>(end), out.begin());
  return out;
}

void CrashBytes::SetDurable(uint64_t block, const Block& bytes) {
  if (durable_.size() < (block + 1) * kBlockBytes) durable_.resize((block + 1) * kBlockBytes);
  std::copy(bytes.begin(), bytes.end(),
            durable_.begin() + static_cast<ptrdiff_t>(block * kBlockBytes));
}

void CrashBytes::Remember(const Edit& edit) {
  if (edit.bytes == 0) return;
  for (uint64_t block = edit.offset / kBlockBytes; block * kBlockBytes < edit.offset + edit.bytes;
       ++block) {
    Change& change = changes_[block];
    change.edits.push_back(edits_.size());
    change.dirty = true;
  }
  edits_.push_back(edit);
}

std::vector<CrashBytes::Block> CrashBytes::VersionsOf(uint64_t block, const Change& change) const {
  const uint64_t block_begin = block * kBlockBytes;
  std::vector<Block> versions;
  Block bytes = BlockOf(durable_, block);
  for (const size_t number : change.edits) {
    const Edit& edit = edits_[number];
    const uint64_t begin = std::max(edit.offset, block_begin);
    const uint64_t end = std::min(edit.offset + edit.bytes, block_begin + kBlockBytes);
    std::byte* const to = bytes.data() + (begin - block_begin);
    if (edit.begin.has_value()) {
      std::copy_n(written_.data() + *edit.begin + (begin - edit.offset), end - begin, to);
    } else {
      std::fill_n(to, end - begin, std::byte{0});
    }
    versions.push_back(bytes);
  }
  return versions;
}

void CrashBytes::Write(uint64_t offset, std::span<const std::byte> bytes) {
  if (now_.size() < offset + bytes.size()) {
    now_.resize(offset + bytes.size());
    sizes_.push_back(now_.size());
    size_dirty_ = true;
  }
  // Where the file ends is written with its last bytes.
  if (offset + bytes.size() == now_.size()) size_dirty_ = true;
  std::copy(bytes.begin(), bytes.end(), now_.begin() + static_cast<ptrdiff_t>(offset));
  Remember({.offset = offset, .bytes = bytes.size(), .begin = written_.size()});
  written_.insert(written_.end(), bytes.begin(), bytes.end());
}

void CrashBytes::Truncate(uint64_t bytes) {
  const uint64_t before = now_.size();
  now_.resize(bytes);
  if (bytes < before) Remember({.offset = bytes, .bytes = before - bytes});
  sizes_.push_back(bytes);
  size_dirty_ = true;
}

void CrashBytes::Sync() {
  std::erase_if(changes_, [this](auto& entry) {
    if (!entry.second.dirty) return false;
    SetDurable(entry.first, BlockOf(now_, entry.first));
    return true;
  });
  if (changes_.empty()) {
    edits_.clear();
    written_.clear();
  }
  if (!size_dirty_) return;
  durable_size_ = now_.size();
  sizes_.clear();
  size_dirty_ = false;
}

void CrashBytes::FailSync() {
  for (auto& [block, change] : changes_) change.dirty = false;
  size_dirty_ = false;
}

void CrashBytes::Crash(CrashChoice& choice) {
  const size_t sector_bytes = choice.sector_bytes();
  for (const auto& [number, change] : changes_) {
    const std::vector<Block> versions = VersionsOf(number, change);
    Block block = BlockOf(durable_, number);
    for (size_t at = 0; at < kBlockBytes; at += sector_bytes) {
      const size_t pick = choice.Pick(versions.size());
      if (pick == 0) continue;
      const auto from = versions[pick - 1].begin() + static_cast<ptrdiff_t>(at);
      std::copy(from, from + static_cast<ptrdiff_t>(sector_bytes),
                block.begin() + static_cast<ptrdiff_t>(at));
    }
    SetDurable(number, block);
  }
  const size_t pick = choice.Pick(sizes_.size());
  if (pick > 0) durable_size_ = sizes_[pick - 1];
  changes_.clear();
  edits_.clear();
  written_.clear();
  sizes_.clear();
  size_dirty_ = false;
  durable_.resize(durable_size_);
  now_ = durable_;
}

void CrashBytes::Damage(uint64_t offset, std::byte mask) {
  if (offset < now_.size()) now_[offset] ^= mask;
  if (offset < durable_.size()) durable_[offset] ^= mask;
}

}  // namespace longtake
