// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/read_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/temporary_directory.h"

namespace longtake {
namespace {

constexpr uint64_t kBlock = ReadAhead::kBlockBytes;

using Bytes = std::vector<std::byte>;

AlignedBuffer Memory(uint64_t slice_bytes) {
  return AlignedBuffer::Allocate(ReadAhead::kSlices * slice_bytes, kBlock).value();
}

Bytes WriteRandom(FileSystem& files, const std::string& path, size_t count) {
  std::mt19937 random(count);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  EXPECT_TRUE(files.Create(path).value()->WriteAt(0, bytes).ok());
  return bytes;
}

// Ranges of every size anywhere in a file, some of them added while others are read.
void ReadAndCompare(FileSystem& files, const std::string& path, size_t file_bytes) {
  const Bytes all = WriteRandom(files, path, file_bytes);
  AlignedBuffer memory = Memory(2 * kBlock);
  const auto ahead = ReadAhead::Open(files, path, memory.span()).value();
  EXPECT_EQ(ahead->file_bytes(), file_bytes);
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Bytes wanted;
    const auto add = [&](uint64_t offset, uint64_t bytes) {
      ahead->Add(offset, bytes);
      wanted.insert(wanted.end(), all.begin() + static_cast<std::ptrdiff_t>(offset),
                    all.begin() + static_cast<std::ptrdiff_t>(offset + bytes));
    };
    const auto add_random = [&] {
      const uint64_t offset = random() % file_bytes;
      add(offset, random() % (file_bytes - offset + 1));
    };
    add(file_bytes - 1, 1);
    for (int range = 0; range < 3; ++range) add_random();
    Bytes got;
    while (got.size() < wanted.size()) {
      const auto piece = ahead->Next();
      ASSERT_TRUE(piece.ok()) << piece.status();
      ASSERT_LE(piece->size(), 2 * kBlock);
      got.insert(got.end(), piece->begin(), piece->end());
      if (random() % 16 == 0 && wanted.size() < 10 * file_bytes) add_random();
    }
    ASSERT_TRUE(got == wanted) << round;
  }
}

TEST(ReadAheadTest, RangesComeAsTheyLieInTheFile) {
  const TemporaryDirectory directory;
  ReadAndCompare(PosixFileSystem(), directory.Path("whole"), 100 * kBlock);
  ReadAndCompare(PosixFileSystem(), directory.Path("cut"), 100 * kBlock + 77);
}

TEST(ReadAheadTest, OfAFileThatIsNotTheKernelsToo) {
  MemoryFileSystem files;
  ReadAndCompare(files, "whole", 100 * kBlock);
  ReadAndCompare(files, "cut", 100 * kBlock + 77);
}

TEST(ReadAheadTest, AllSlicesButTheOneThatIsLentAreReadInto) {
  MemoryFileSystem disk;
  FaultFileSystem files(disk);
  WriteRandom(disk, "f", 100 * kBlock);
  AlignedBuffer memory = Memory(kBlock);
  uint64_t asked = 0;
  files.set_decide([&](const FaultFileSystem::Attempt& attempt) {
    EXPECT_EQ(attempt.offset, asked);
    asked += attempt.bytes;
    return ReadFault{};
  });
  const auto ahead = ReadAhead::Open(files, "f", memory.span()).value();
  ahead->Add(0, 100 * kBlock);
  EXPECT_EQ(asked, 0u);
  for (uint64_t piece = 0; piece < 100; ++piece) {
    ASSERT_TRUE(ahead->Next().ok());
    EXPECT_EQ(asked, std::min(piece + ReadAhead::kSlices, uint64_t{100}) * kBlock);
  }
}

TEST(ReadAheadTest, WhatCannotBeReadIsToldInItsTurn) {
  MemoryFileSystem disk;
  FaultFileSystem files(disk);
  WriteRandom(disk, "f", 10 * kBlock);
  AlignedBuffer memory = Memory(kBlock);
  files.set_decide([&](const FaultFileSystem::Attempt& attempt) {
    return ReadFault{.error = attempt.offset == 2 * kBlock ? EIO : 0};
  });
  const auto ahead = ReadAhead::Open(files, "f", memory.span()).value();
  ahead->Add(0, 10 * kBlock);
  EXPECT_TRUE(ahead->Next().ok());
  EXPECT_TRUE(ahead->Next().ok());
  EXPECT_TRUE(absl::IsUnavailable(ahead->Next().status()));
  EXPECT_TRUE(absl::IsNotFound(ReadAhead::Open(files, "g", memory.span()).status()));
}

}  // namespace
}  // namespace longtake
