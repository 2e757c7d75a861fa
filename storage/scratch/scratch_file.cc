// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/scratch/scratch_file.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {

absl::StatusOr<std::unique_ptr<ScratchFile>> ScratchFile::Create(FileSystem& files,
                                                                 const std::string& directory,
                                                                 uint64_t bytes_max) {
  auto out = std::unique_ptr<ScratchFile>(new ScratchFile);
  out->bytes_max_ = bytes_max / kBlockBytes * kBlockBytes;
  if (out->bytes_max_ == 0) {
    return absl::InvalidArgumentError(absl::StrCat("a scratch file of ", bytes_max, " bytes"));
  }
  LT_ASSIGN_OR_RETURN(out->file_, OpenBlockFile([&](ReadMode mode) {
                        return files.CreateScratch(directory, mode);
                      }));
  LT_RETURN_IF_ERROR(out->file_.file->Reserve(out->bytes_max_));
  MutexLock lock(out->mutex_);
  out->free_[0] = out->bytes_max_;
  return out;
}

uint64_t ScratchFile::bytes_taken() const {
  MutexLock lock(mutex_);
  return taken_;
}

absl::StatusOr<std::vector<uint64_t>> ScratchFile::Take(uint64_t extent_bytes, uint64_t count) {
  LT_CHECK(extent_bytes > 0 && extent_bytes % kBlockBytes == 0);
  MutexLock lock(mutex_);
  std::vector<uint64_t> extents;
  for (auto next = free_.begin(); extents.size() < count && next != free_.end();) {
    uint64_t offset = next->first;
    uint64_t bytes = next->second;
    while (extents.size() < count && bytes >= extent_bytes) {
      extents.push_back(offset);
      offset += extent_bytes;
      bytes -= extent_bytes;
    }
    next = free_.erase(next);
    if (bytes > 0) free_[offset] = bytes;  // before next, so not met again
  }
  taken_ += extents.size() * extent_bytes;
  if (extents.size() == count) return extents;
  for (const uint64_t extent : extents) GiveLocked(extent, extent_bytes);
  return absl::ResourceExhaustedError(absl::StrCat("no room for ", count, " extents of ",
                                                   extent_bytes, " bytes; ", bytes_max_ - taken_,
                                                   " of ", bytes_max_, " are free"));
}

void ScratchFile::Give(std::span<const uint64_t> extents, uint64_t extent_bytes) {
  MutexLock lock(mutex_);
  for (const uint64_t extent : extents) GiveLocked(extent, extent_bytes);
}

void ScratchFile::GiveLocked(uint64_t offset, uint64_t bytes) {
  taken_ -= bytes;
  const auto after = free_.lower_bound(offset);
  if (after != free_.end() && offset + bytes == after->first) {
    bytes += after->second;
    free_.erase(after);
  }
  const auto behind = free_.lower_bound(offset);
  if (behind != free_.begin()) {
    const auto before = std::prev(behind);
    if (before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  }
  free_[offset] = bytes;
}

}  // namespace longtake
