// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_sequence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/aligned_buffer.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/temporary_directory.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

Bytes Pattern(size_t count, uint32_t seed) {
  Bytes bytes(count);
  for (std::byte& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::byte>(seed >> 24);
  }
  return bytes;
}

std::vector<Bytes> Values() {
  return {Pattern(3 * kBulkPieceBytes, 1),
          Pattern(5, 2),
          {},
          Pattern(kBulkPieceBytes + 4097, 3),
          Pattern(12 * kBulkPieceBytes - 1, 4)};
}

class BulkSequenceTest : public ::testing::Test {
 protected:
  // memory: what the file is written through, or nothing.
  static std::vector<BulkExtent> Write(FileSystem& files, const std::string& path,
                                       std::span<std::byte> memory) {
    const auto file = BulkFile::Create(files, path).value();
    uint64_t room = 0;
    for (const Bytes& value : Values()) room += BulkFile::RoomFor(value.size());
    if (!memory.empty()) {
      EXPECT_TRUE(file->WriteBehindThrough(memory, room).ok());
    }
    std::vector<BulkExtent> extents;
    for (const Bytes& value : Values()) extents.push_back(file->Append(value).value());
    EXPECT_TRUE(file->Sync().ok());
    return extents;
  }
  absl::StatusOr<std::vector<Bytes>> Read(FileSystem& files, const std::string& path,
                                          const std::vector<BulkExtent>& extents) {
    LT_ASSIGN_OR_RETURN(const auto sequence,
                        BulkSequence::Open(files, path, extents, memory_.span()));
    std::vector<Bytes> values;
    for (size_t i = 0; i < extents.size(); ++i) {
      values.emplace_back();
      for (;;) {
        LT_ASSIGN_OR_RETURN(const auto piece, sequence->Next());
        if (piece.empty()) break;
        values.back().insert(values.back().end(), piece.begin(), piece.end());
      }
    }
    return values;
  }
  void ExpectLoss(const std::vector<BulkExtent>& extents, const std::string& text) {
    const absl::Status status = Read(disk_, "d/b", extents).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("d/b"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  MemoryFileSystem disk_;
  AlignedBuffer memory_ =
      AlignedBuffer::Allocate(BulkSequence::kMemoryBytesMax, kBulkAlignment).value();
};

TEST_F(BulkSequenceTest, SmallExtentsTakeLittleMemory) {
  std::vector<BulkExtent> extents;
  const auto file = BulkFile::Create(disk_, "d/b").value();
  for (uint32_t i = 0; i < 20; ++i) {
    extents.push_back(file->Append(Pattern(i % 2 == 0 ? 5000 : 77, i)).value());
  }
  EXPECT_EQ(BulkSequence::MemoryBytes(5000), ReadAhead::kSlices * 2 * kBulkAlignment);
  memory_ = AlignedBuffer::Allocate(BulkSequence::MemoryBytes(5000), kBulkAlignment).value();
  const auto back = Read(disk_, "d/b", extents).value();
  for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(back[i], Pattern(i % 2 == 0 ? 5000 : 77, i));
  EXPECT_EQ(BulkSequence::MemoryBytes(UINT64_MAX), BulkSequence::kMemoryBytesMax);
  EXPECT_GT(BulkSequence::MemoryBytes(0), 0u);
}

TEST_F(BulkSequenceTest, GivesExtentsInAnyOrder) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("b");
  AlignedBuffer slices = AlignedBuffer::Allocate(3 << 20, kBulkAlignment).value();
  for (const std::span<std::byte> through : {std::span<std::byte>(), slices.span()}) {
    std::vector<BulkExtent> extents = Write(PosixFileSystem(), path, through);
    std::vector<Bytes> values = Values();
    for (int order = 0; order < 2; ++order) {
      const auto back = Read(PosixFileSystem(), path, extents);
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_TRUE(*back == values) << order;
      std::reverse(extents.begin(), extents.end());
      std::reverse(values.begin(), values.end());
    }
  }
}

TEST_F(BulkSequenceTest, OnlyVerifiedPiecesAreLent) {
  auto extents = Write(disk_, "d/b", {});
  const auto flip = [&](uint64_t at) { disk_.Contents("d/b")[at] ^= std::byte{1}; };
  flip(2 * kBulkPieceBytes + 10);
  {
    const auto sequence = BulkSequence::Open(disk_, "d/b", extents, memory_.span()).value();
    EXPECT_TRUE(sequence->Next().ok());
    EXPECT_TRUE(sequence->Next().ok());
    EXPECT_TRUE(absl::IsDataLoss(sequence->Next().status()));
  }
  ExpectLoss(extents, "at byte 2097152: checksum of 1048576 bytes differs");
  flip(2 * kBulkPieceBytes + 10);
  flip(extents[3].offset + extents[3].bytes + 1);
  ExpectLoss(extents, "checksum of the table differs");
  flip(extents[3].offset + extents[3].bytes + 1);
  extents[2].hash.low ^= 1;
  ExpectLoss(extents, "hash of no bytes differs");
  extents[2].hash.low ^= 1;
  extents[4].hash.low ^= 1;
  ExpectLoss(extents, "hash of 12582911 bytes differs");
}

TEST_F(BulkSequenceTest, SizesTheFileDoesNotHaveAreRefused) {
  Write(disk_, "d/b", {});
  for (BulkExtent extent :
       {BulkExtent{.offset = 0, .bytes = UINT64_MAX}, BulkExtent{.offset = 0, .bytes = 1ULL << 50},
        BulkExtent{.offset = 1, .bytes = 1000}, BulkExtent{.offset = 4095, .bytes = 0}}) {
    ExpectLoss({extent}, "at byte " + std::to_string(extent.offset));
  }
  disk_.Remove("d/b").IgnoreError();
  ExpectLoss({BulkExtent{.bytes = 1}}, "d/b");
}

}  // namespace
}  // namespace longtake
