// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The bytes of one file of a simulated disk: as the process sees them, and as they may be found
// after a crash. Between two syncs every block remembers what was written to it; a crash leaves
// each sector as it was at any of these moments, and the size likewise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <vector>

namespace longtake {

// What one crash leaves of what was not synced, all drawn from a seed: everything, nothing, or any
// mixture.
class CrashChoice {
 public:
  explicit CrashChoice(uint64_t seed);
  // Sectors of so many bytes, 512 or 4096, are old or new each for itself.
  size_t sector_bytes() const { return sector_bytes_; }
  // How many of so many changes, in their order, reached the disk.
  size_t Pick(size_t changes);

 private:
  std::mt19937_64 random_;
  size_t sector_bytes_;
  uint64_t kept_of_8_;  // chance of the last state
  uint64_t lost_of_8_;  // of the first
};

class CrashBytes {
 public:
  static constexpr size_t kBlockBytes = 4096;  // what the page cache writes as a whole

  const std::vector<std::byte>& now() const { return now_; }

  void Write(uint64_t offset, std::span<const std::byte> bytes);
  void Truncate(uint64_t bytes);
  // All of now is durable, but for blocks that a failed sync took for written.
  void Sync();
  // As Linux has it: the blocks count as written from now on, but whether they are nobody knows.
  void FailSync();
  void Crash(CrashChoice& choice);
  // The disk itself changes a byte, whatever was synced.
  void Damage(uint64_t offset, std::byte mask);

 private:
  using Block = std::vector<std::byte>;
  // What changed a range: the next bytes of written_ from begin on, or zeros.
  struct Edit {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    std::optional<size_t> begin = {};
  };
  // Of a block. Few crash, so its versions are put together only then, of what it was and these.
  struct Change {
    std::vector<size_t> edits;  // since the last sync, oldest first
    bool dirty = true;          // to be written by the next sync
  };
  static Block BlockOf(const std::vector<std::byte>& bytes, uint64_t block);
  std::vector<Block> VersionsOf(uint64_t block, const Change& change) const;
  void Remember(const Edit& edit);
  void SetDurable(uint64_t block, const Block& bytes);

  std::vector<std::byte> now_;
  std::vector<std::byte> durable_;  // what counts is durable_size_
  uint64_t durable_size_ = 0;
  std::map<uint64_t, Change> changes_;
  std::vector<Edit> edits_;  // that changes name
  std::vector<std::byte> written_;
  std::vector<uint64_t> sizes_;  // since the last sync
  bool size_dirty_ = false;
};

}  // namespace longtake
