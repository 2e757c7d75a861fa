// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_stages.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

absl::Status KvStages::Name(const absl::Status& status, size_t stage) const {
  if (status.ok() || stages_.size() == 1) return status;
  return Annotate(status, absl::StrCat("stage ", stage));
}

absl::StatusOr<bool> KvStages::WouldBeInFile(const KvLayout& layout, const KvNeeds& frames) const {
  bool in_file = false;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const StageKv& stage = *stages_[i];
    const auto here = KvShare::WouldBeInFile(stage.memory(), stage.LayoutOf(layout), frames);
    if (!here.ok()) return Name(here.status(), i);
    in_file |= *here;
  }
  for (size_t i = 0; in_file && i < stages_.size(); ++i) {
    const StageKv& stage = *stages_[i];
    LT_RETURN_IF_ERROR(Name(KvShare::CheckFile(stage.memory(), stage.LayoutOf(layout), frames), i));
  }
  return in_file;
}

absl::StatusOr<KvShares> KvStages::NewShares(const KvLayout& layout, const KvNeeds& frames) const {
  LT_ASSIGN_OR_RETURN(const bool in_file, WouldBeInFile(layout, frames));
  std::vector<std::unique_ptr<KvShare>> shares;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const StageKv& stage = *stages_[i];
    auto share = KvShare::CreateIn(stage.memory(), in_file, stage.LayoutOf(layout), frames);
    if (!share.ok()) return Name(share.status(), i);
    shares.push_back(*std::move(share));
  }
  return KvShares(std::move(shares));
}

absl::StatusOr<uint64_t> KvStages::Bytes(const KvLayout& layout, uint64_t frames,
                                         bool in_file) const {
  uint64_t bytes = 0;
  for (const auto& stage : stages_) {
    const KvLayout here = stage->LayoutOf(layout);
    if (in_file) {
      bytes += frames * here.file_frame_bytes();
      continue;
    }
    LT_ASSIGN_OR_RETURN(const uint64_t pages, stage->pool().PagesPerFrame(here));
    bytes += frames * pages * stage->pool().page_bytes();
  }
  return bytes;
}

KvStages::Room KvStages::pools() const {
  Room room;
  for (const auto& stage : stages_) {
    const KvPool& pool = stage->pool();
    room.bytes_max += pool.page_count() * pool.page_bytes();
    room.bytes_taken += (pool.page_count() - pool.free_page_count()) * pool.page_bytes();
  }
  return room;
}

KvStages::Room KvStages::files() const {
  Room room;
  for (const auto& stage : stages_) {
    if (stage->file() == nullptr) continue;
    room.bytes_max += stage->file()->bytes_max();
    room.bytes_taken += stage->file()->bytes_taken();
  }
  return room;
}

uint64_t KvStages::FileLayerBytesMax() const {
  if (!has_file()) return 0;
  uint64_t least = UINT64_MAX;
  for (const auto& stage : stages_) least = std::min(least, stage->stream()->layer_bytes_max());
  return least;
}

uint64_t KvStages::LendBytesMax(uint64_t frame_bytes) const {
  uint64_t least = UINT64_MAX;
  for (const auto& stage : stages_) {
    least = std::min(least, stage->stream()->lend_bytes_max(frame_bytes));
  }
  return least;
}

KvStream::Stats KvStages::stream_stats() const {
  KvStream::Stats sum;
  for (const auto& stage : stages_) {
    if (stage->stream() != nullptr) sum.Add(stage->stream()->stats());
  }
  return sum;
}

}  // namespace longtake
