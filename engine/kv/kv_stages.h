// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The K/V memory of all stages as one: a session is admitted where every stage has room for its
// part. Layouts are those of all layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_shares.h"
#include "engine/kv/stage_kv.h"

namespace longtake {

// Any thread, but for the streams. Errors of one of several stages begin with its number.
class KvStages {
 public:
  explicit KvStages(std::vector<std::unique_ptr<StageKv>> stages) : stages_(std::move(stages)) {}

  size_t stage_count() const { return stages_.size(); }
  const StageKv& stage(size_t number) const { return *stages_[number]; }
  bool has_file() const { return stages_.front()->file() != nullptr; }

  // In the pools if all have room, else in the files. Errors as KvShare::Create.
  absl::StatusOr<KvShares> NewShares(const KvLayout& layout, const KvNeeds& frames) const;
  // Whether NewShares would choose the files; its errors. Reserves nothing.
  absl::StatusOr<bool> WouldBeInFile(const KvLayout& layout, const KvNeeds& frames) const;
  // What so many frames take of the pools, or of the files.
  absl::StatusOr<uint64_t> Bytes(const KvLayout& layout, uint64_t frames, bool in_file) const;

  struct Room {
    uint64_t bytes_max = 0;
    uint64_t bytes_taken = 0;
  };
  Room pools() const;
  Room files() const;

  // Of a layer, what sessions in the file may have read in one sweep; 0 without files. And what
  // they may have written of it while some is lent, the largest frame being of so many bytes.
  uint64_t FileLayerBytesMax() const;
  uint64_t LendBytesMax(uint64_t frame_bytes) const;
  // Of all streams. The stage's thread.
  KvStream::Stats stream_stats() const;

 private:
  absl::Status Name(const absl::Status& status, size_t stage) const;

  const std::vector<std::unique_ptr<StageKv>> stages_;  // at least one
};

}  // namespace longtake
