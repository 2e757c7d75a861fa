// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/write_behind.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <vector>

#include "base/aligned_buffer.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/temporary_directory.h"

namespace longtake {
namespace {

constexpr uint64_t kBlock = WriteBehind::kBlockBytes;

using Bytes = std::vector<std::byte>;

Bytes RandomBytes(size_t count, std::mt19937& random) {
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

AlignedBuffer Memory(uint64_t slice_bytes) {
  return AlignedBuffer::Allocate(WriteBehind::kSlices * slice_bytes, kBlock).value();
}

// Pieces of every size, now and then a gap or a flush, in a file of one file system.
void WriteAndCompare(FileSystem& files, const std::string& path) {
  std::mt19937 random(7);
  AlignedBuffer memory = Memory(2 * kBlock);
  for (int round = 0; round < 20; ++round) {
    const auto file = files.Create(path).value();
    const auto behind = WriteBehind::Open(*file, 100 * kBlock, memory.span()).value();
    Bytes all;
    while (all.size() < 60 * kBlock) {
      const Bytes piece = RandomBytes(random() % (5 * kBlock), random);
      if (random() % 4 == 0) all.resize(all.size() + random() % (3 * kBlock));
      ASSERT_TRUE(behind->Write(all.size(), piece).ok());
      all.insert(all.end(), piece.begin(), piece.end());
      if (random() % 8 != 0) continue;
      ASSERT_TRUE(behind->Flush().ok());
      all.resize((all.size() + kBlock - 1) / kBlock * kBlock);
    }
    ASSERT_TRUE(behind->Flush().ok());
    ASSERT_TRUE(file->Sync().ok());
    all.resize(100 * kBlock);  // that were reserved
    Bytes back(all.size() + 1);
    const auto read = files.OpenRead(path, ReadMode::kBuffered).value();
    ASSERT_EQ(read->ReadUpTo(0, back).value(), all.size());
    back.pop_back();
    ASSERT_TRUE(back == all) << round;
  }
}

TEST(WriteBehindTest, AFileHasWhatWasWrittenPieceByPiece) {
  const TemporaryDirectory directory;
  WriteAndCompare(PosixFileSystem(), directory.Path("f"));
}

TEST(WriteBehindTest, AFileThatIsNotTheKernelsToo) {
  MemoryFileSystem files;
  WriteAndCompare(files, "f");
}

TEST(WriteBehindTest, TheFirstErrorStays) {
  MemoryFileSystem disk;
  FaultFileSystem files(disk);
  int writes = 0;
  files.set_decide_write([&](const auto&) { return ++writes == 2 ? ENOSPC : 0; });
  const auto file = files.Create("f").value();
  AlignedBuffer memory = Memory(kBlock);
  const auto behind = WriteBehind::Open(*file, 10 * kBlock, memory.span()).value();
  absl::Status status;
  uint64_t offset = 0;
  for (; status.ok() && offset < 10 * kBlock; offset += kBlock) {
    status = behind->Write(offset, Bytes(kBlock));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(behind->Write(offset, Bytes(kBlock)), status);
  EXPECT_EQ(behind->Flush(), status);
}

}  // namespace
}  // namespace longtake
