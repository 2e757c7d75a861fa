// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/aligned_buffer.h"
#include "base/clock.h"
#include "client/doctor_checks.h"
#include "storage/io/disk_rate.h"
#include "storage/io/pread_io.h"
#include "storage/io/uring_io.h"

namespace longtake {
namespace {

constexpr uint64_t kBlockBytes = 1 << 20;
constexpr uint64_t kScratchBlocks = 256;
constexpr size_t kDepth = 8;
constexpr int64_t kReadNanos = 30'000'000'000;

// A file of pseudo-random blocks. It has no name, so it is gone when it is closed or the program is
// killed, and no file of the user's can be in its place.
absl::StatusOr<std::unique_ptr<File>> MakeScratch(FileSystem& files, const std::string& directory,
                                                  uint64_t block_count) {
  LT_ASSIGN_OR_RETURN(AlignedBuffer block, AlignedBuffer::Allocate(kBlockBytes, 4096));
  uint32_t state = 1;
  for (uint64_t i = 0; i < kBlockBytes; ++i) {
    state = state * 1664525u + 1013904223u;
    block.data()[i] = static_cast<std::byte>(state >> 24);
  }
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                      files.CreateScratch(directory, ReadMode::kDirect));
  for (uint64_t i = 0; i < block_count; ++i) {
    LT_RETURN_IF_ERROR(file->WriteAt(i * kBlockBytes, {block.data(), kBlockBytes}));
  }
  LT_RETURN_IF_ERROR(file->Sync());
  return file;
}

struct DiskTrial {
  std::string note;
  double bytes_per_second = 0.0;
};

using OpenIo =
    std::function<absl::StatusOr<UringIoResult>(File& file, std::span<std::byte> memory)>;

absl::StatusOr<DiskTrial> TryIo(FileSystem& files, const std::string& directory,
                                uint64_t block_count, const OpenIo& open) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, MakeScratch(files, directory, block_count));
  LT_ASSIGN_OR_RETURN(AlignedBuffer memory, AlignedBuffer::Allocate(kDepth * kBlockBytes, 4096));
  LT_ASSIGN_OR_RETURN(UringIoResult opened, open(*file, {memory.data(), kDepth * kBlockBytes}));
  SystemClock clock;
  const uint64_t bytes = block_count * kBlockBytes;
  LT_ASSIGN_OR_RETURN(const double rate, MeasureReadRate(*opened.io, memory.span(),
                                                         {.request_bytes = kBlockBytes,
                                                          .depth = kDepth,
                                                          .file_bytes = bytes,
                                                          .bytes_max = bytes,
                                                          .nanos_max = kReadNanos},
                                                         clock));
  return DiskTrial{opened.note, rate};
}

absl::StatusOr<DiskTrial> TryRing(FileSystem& files, const std::string& directory,
                                  uint64_t block_count) {
  return TryIo(files, directory, block_count, [](File& file, std::span<std::byte> memory) {
    const std::span<std::byte> buffers[] = {memory};
    return OpenUringIo(file, buffers, kDepth);
  });
}

// As layers are read where io_uring is refused.
absl::StatusOr<DiskTrial> TryThreads(FileSystem& files, const std::string& directory,
                                     uint64_t block_count) {
  return TryIo(files, directory, block_count, [](File& file, std::span<std::byte>) {
    return absl::StatusOr<UringIoResult>({OpenPreadIo(file, kDepth, kDepth), ""});
  });
}

}  // namespace

Finding CheckIoUring(FileSystem& files, const std::string& directory) {
  const auto trial = TryRing(files, directory, kDepth);
  if (!trial.ok()) {
    return {
        Finding::Level::kNote, "io_uring", std::string(trial.status().message()),
        "layers are read by threads instead, a little slower; allow io_uring in the container's "
        "seccomp profile or kernel.io_uring_disabled, and use a file system with direct reads"};
  }
  if (!trial->note.empty()) {
    return {Finding::Level::kNote, "io_uring", "works; " + trial->note,
            "raise the locked memory limit (ulimit -l, LimitMEMLOCK=)"};
  }
  return {Finding::Level::kGood, "io_uring", "works, direct reads into registered buffers", ""};
}

Finding CheckDiskRate(FileSystem& files, const std::string& directory) {
  const auto space = files.FreeSpace(directory);
  if (!space.ok() || *space < 2 * kScratchBlocks * kBlockBytes) {
    return {Finding::Level::kNote, "disk rate", "not measured: less than 512 MiB free",
            "name a folder with more space: longtake doctor --dir"};
  }
  auto trial = TryRing(files, directory, kScratchBlocks);
  if (!trial.ok()) trial = TryThreads(files, directory, kScratchBlocks);
  if (!trial.ok()) {
    return {Finding::Level::kNote, "disk rate",
            "not measured: " + std::string(trial.status().message()),
            "name a folder on a file system with direct reads: longtake doctor --dir"};
  }
  const double gigabytes = trial->bytes_per_second / 1e9;
  Finding finding{Finding::Level::kGood, "disk rate",
                  absl::StrFormat("%.2f GB/s (256 MiB, 8 requests of 1 MiB in flight) in %s",
                                  gigabytes, directory),
                  ""};
  if (gigabytes < 1.0) {
    finding.level = Finding::Level::kNote;
    finding.advice = "layers that are not kept in memory arrive at this rate; keep packs on NVMe";
  }
  return finding;
}

Finding CheckFreeSpace(FileSystem& files, const std::string& directory) {
  const auto space = files.FreeSpace(directory);
  if (!space.ok()) {
    return {Finding::Level::kProblem, "free space", std::string(space.status().message()),
            "name the folder of your packs: longtake doctor --dir"};
  }
  const double gigabytes = static_cast<double>(*space) / 1e9;
  Finding finding{Finding::Level::kGood, "free space",
                  absl::StrFormat("%.1f GB in %s", gigabytes, directory), ""};
  if (gigabytes < 20.0) {
    finding.level = Finding::Level::kNote;
    finding.advice = "a 1.3B model packs to 15 GB with its text encoder, a 14B model to 40 GB";
  }
  return finding;
}

Finding CheckDisksApart(FileSystem& files, const std::vector<std::string>& layer_paths) {
  std::map<uint64_t, std::string> first;  // path on each disk
  for (const std::string& path : layer_paths) {
    const auto disk = files.DiskOf(path);
    if (!disk.ok()) {
      return {Finding::Level::kProblem, "layer paths", std::string(disk.status().message()),
              "name the folders that longtaked gets as --layer-path"};
    }
    const auto [known, is_new] = first.emplace(*disk, path);
    if (is_new) continue;
    return {Finding::Level::kNote, "layer paths",
            absl::StrCat(known->second, " and ", path, " are on one disk"),
            "it reads no faster for both; name a folder of another disk instead of one of them"};
  }
  return {Finding::Level::kGood, "layer paths",
          absl::StrCat("on ", layer_paths.size(), layer_paths.size() == 1 ? " disk" : " disks"),
          ""};
}

}  // namespace longtake
