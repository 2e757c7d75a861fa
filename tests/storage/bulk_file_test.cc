// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "base/aligned_buffer.h"
#include "storage/bulk/bulk_reader.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
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

class BulkFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<Bytes> Read(const BulkExtent& extent) { return ReadBulk(disk_, "d/b", extent); }
  // Appends each and makes them durable.
  std::vector<BulkExtent> Write(const std::vector<Bytes>& values) {
    auto file = BulkFile::Create(files_, "d/b").value();
    std::vector<BulkExtent> extents;
    for (const Bytes& value : values) extents.push_back(file->Append(value).value());
    EXPECT_TRUE(file->Sync().ok());
    return extents;
  }
  static void ExpectLoss(const absl::Status& status, const std::string& text) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("d/b"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  MemoryFileSystem disk_;
  FaultFileSystem files_{disk_};
};

TEST_F(BulkFileTest, LiesAsTheFormatSays) {
  const Bytes first = Pattern(kBulkPieceBytes + 5, 1);
  const Bytes second = Pattern(3, 2);
  const auto extents = Write({first, second});
  const uint64_t second_offset = (kBulkPieceBytes / 4096 + 1) * 4096;
  EXPECT_EQ(extents[0].offset, 0u);
  EXPECT_EQ(extents[0].bytes, kBulkPieceBytes + 5);
  EXPECT_EQ(extents[0].hash, Xxh3Hash128(first));
  EXPECT_EQ(extents[1].offset, second_offset);
  const Bytes& file = disk_.Contents("d/b");
  EXPECT_EQ(file.size(), second_offset + 3 + 4);
  EXPECT_EQ(std::memcmp(file.data(), first.data(), first.size()), 0);
  const std::span<const std::byte> all(first);
  const uint32_t table[] = {Crc32c(all.first(kBulkPieceBytes)), Crc32c(all.last(5))};
  EXPECT_EQ(std::memcmp(file.data() + first.size(), table, sizeof(table)), 0);
  EXPECT_EQ(extents[0].table_crc, Crc32c(std::as_bytes(std::span(table))));
  EXPECT_EQ(extents[0].end(), first.size() + sizeof(table));
}

TEST_F(BulkFileTest, GivesBackWhatWasAppended) {
  std::vector<Bytes> values;
  for (const size_t count : {size_t{0}, size_t{1}, size_t{4096}, size_t{kBulkPieceBytes},
                             size_t{kBulkPieceBytes} + 1, size_t{3} * kBulkPieceBytes}) {
    values.push_back(Pattern(count, static_cast<uint32_t>(count)));
  }
  const auto extents = Write(values);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto back = Read(extents[i]);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, values[i]);
  }
}

TEST_F(BulkFileTest, WhatIsAppendedInPartsLiesAsIfItWereWhole) {
  const Bytes value = Pattern(3 * kBulkPieceBytes + 11, 12);
  const std::vector<BulkExtent> whole = Write({Pattern(5, 5), value, Pattern(9, 6)});
  const Bytes contents = disk_.Contents("d/b");
  auto file = BulkFile::Create(files_, "d/b").value();
  ASSERT_TRUE(file->Append(Pattern(5, 5)).ok());
  size_t at = 0;
  for (const size_t count : {size_t{0}, size_t{7}, size_t{kBulkPieceBytes} - 7,
                             size_t{2} * kBulkPieceBytes + 3, size_t{8}}) {
    ASSERT_TRUE(file->AppendPart(std::span(value).subspan(at, count)).ok());
    ASSERT_TRUE(file->WriteBack().ok());
    at += count;
  }
  EXPECT_EQ(file->EndExtent().value(), whole[1]);
  EXPECT_EQ(file->Append(Pattern(9, 6)).value(), whole[2]);
  EXPECT_EQ(disk_.Contents("d/b"), contents);
}

TEST_F(BulkFileTest, WhatIsWrittenBehindLiesAsIfItWereWrittenAtOnce) {
  const std::vector<Bytes> values = {
      Pattern(kBulkPieceBytes + 5, 1), Pattern(4096, 2), {}, Pattern(3, 3)};
  const auto extents = Write(values);
  Bytes contents = disk_.Contents("d/b");
  uint64_t room = 0;
  for (const Bytes& value : values) room += BulkFile::RoomFor(value.size());
  auto file = BulkFile::Create(files_, "d/b").value();
  auto memory = AlignedBuffer::Allocate(WriteBehind::kSlices * 8192, 4096).value();
  ASSERT_TRUE(file->WriteBehindThrough(memory.span(), room).ok());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(file->Append(values[i]).value(), extents[i]);
    if (i % 2 == 0) {
      ASSERT_TRUE(file->WriteBack().ok());
    }
  }
  ASSERT_TRUE(file->Sync().ok());
  contents.resize(room);
  EXPECT_TRUE(disk_.Contents("d/b") == contents);
}

TEST_F(BulkFileTest, AFileThatCouldNotBeWrittenBackIsOfNoMoreUse) {
  auto file = BulkFile::Create(files_, "d/b").value();
  ASSERT_TRUE(file->AppendPart(Pattern(5000, 1)).ok());
  ASSERT_TRUE(file->WriteBack().ok()) << "nothing was sent before";
  files_.set_decide_sync([](const std::string&) { return absl::UnavailableError("it fails"); });
  ASSERT_TRUE(file->AppendPart(Pattern(5000, 2)).ok());
  EXPECT_TRUE(absl::IsUnavailable(file->WriteBack()));
  files_.set_decide_sync({});
  EXPECT_TRUE(absl::IsUnavailable(file->AppendPart(Pattern(1, 3))));
  EXPECT_TRUE(absl::IsUnavailable(file->EndExtent().status()));
  EXPECT_TRUE(absl::IsUnavailable(file->Sync()));
}

TEST_F(BulkFileTest, PiecesAreLentOneByOne) {
  const Bytes value = Pattern(2 * kBulkPieceBytes + 7, 3);
  const auto extents = Write({value});
  const auto reader = BulkReader::Open(disk_, "d/b", extents[0]).value();
  std::vector<size_t> sizes;
  Bytes back;
  while (reader->next_bytes() > 0) {
    const auto piece = reader->Next().value();
    sizes.push_back(piece.size());
    back.insert(back.end(), piece.begin(), piece.end());
  }
  EXPECT_THAT(sizes, ElementsAre(kBulkPieceBytes, kBulkPieceBytes, 7));
  EXPECT_EQ(back, value);
  EXPECT_TRUE(reader->Next().value().empty());
}

TEST_F(BulkFileTest, TheNextPiecesAreAskedForAheadOfTime) {
  const Bytes value = Pattern(20 * kBulkPieceBytes + 7, 3);
  const auto extents = Write({Pattern(5, 5), value});
  const auto reader = BulkReader::Open(files_, "d/b", extents[1]).value();
  uint64_t asked = extents[1].offset;
  size_t calls = 0;
  for (uint64_t at = extents[1].offset; reader->next_bytes() > 0; at += kBulkPieceBytes) {
    const size_t piece = reader->Next().value().size();
    for (const auto& ahead : files_.read_ahead()) {
      if (ahead.offset < asked || ahead.offset == extents[1].offset + value.size()) continue;
      EXPECT_EQ(ahead.offset, asked) << "each byte once";
      asked += ahead.bytes;
      ++calls;
    }
    EXPECT_GE(asked, at + piece);
    EXPECT_LE(asked, at + 8 * kBulkPieceBytes);
  }
  EXPECT_EQ(asked, extents[1].offset + value.size());
  EXPECT_LT(calls, 8u);
}

TEST_F(BulkFileTest, EveryFlippedByteIsFound) {
  const Bytes value = Pattern(700, 4);
  const auto extents = Write({Pattern(5, 5), value, Pattern(9, 6)});
  for (uint64_t at = extents[1].offset; at < *extents[1].end(); ++at) {
    disk_.Contents("d/b")[at] ^= std::byte{0x10};
    const bool in_table = at >= extents[1].offset + value.size();
    ExpectLoss(Read(extents[1]).status(),
               in_table ? "at byte 4796: checksum of the table" : "at byte 4096: checksum of 700");
    disk_.Contents("d/b")[at] ^= std::byte{0x10};
  }
  EXPECT_EQ(Read(extents[1]).value(), value);
}

TEST_F(BulkFileTest, OnlyVerifiedPiecesAreLent) {
  const Bytes value = Pattern(3 * kBulkPieceBytes, 7);
  auto extents = Write({value});
  disk_.Contents("d/b")[kBulkPieceBytes + 10] ^= std::byte{1};
  auto reader = BulkReader::Open(disk_, "d/b", extents[0]).value();
  EXPECT_TRUE(reader->Next().ok());
  ExpectLoss(reader->Next().status(), "at byte 1048576: checksum of 1048576 bytes differs");
  disk_.Contents("d/b")[kBulkPieceBytes + 10] ^= std::byte{1};
  // Checksums that fit other bytes, as of an extent that a row names wrongly: the last piece shows.
  extents[0].hash.low ^= 1;
  reader = BulkReader::Open(disk_, "d/b", extents[0]).value();
  EXPECT_TRUE(reader->Next().ok());
  EXPECT_TRUE(reader->Next().ok());
  ExpectLoss(reader->Next().status(), "at byte 0: hash of 3145728 bytes differs");
  ExpectLoss(Read({.offset = 0, .bytes = 0, .table_crc = Crc32c({}), .hash = {}}).status(),
             "hash of no bytes");
}

TEST_F(BulkFileTest, SizesTheFileDoesNotHaveAreRefused) {
  const auto extents = Write({Pattern(1000, 8)});
  for (BulkExtent extent :
       {BulkExtent{.offset = 0, .bytes = UINT64_MAX}, BulkExtent{.offset = UINT64_MAX, .bytes = 1},
        BulkExtent{.offset = 0, .bytes = uint64_t{1} << 50},
        BulkExtent{.offset = UINT64_MAX - 3, .bytes = 1}, BulkExtent{.offset = 1, .bytes = 1000}}) {
    ExpectLoss(Read(extent).status(), "at byte " + std::to_string(extent.offset));
  }
  disk_.Contents("d/b").pop_back();
  ExpectLoss(Read(extents[0]).status(), "the file ends at byte 1003");
  ASSERT_TRUE(disk_.Remove("d/b").ok());
  ExpectLoss(Read(extents[0]).status(), "no such file");
}

TEST_F(BulkFileTest, ATornTailIsCutAndWrittenOver) {
  const Bytes kept = Pattern(5000, 9);
  const auto extents = Write({kept, Pattern(50'000, 10)});
  auto file = BulkFile::Open(files_, "d/b", *extents[0].end()).value();
  EXPECT_EQ(disk_.Contents("d/b").size(), *extents[0].end());
  const Bytes later = Pattern(6000, 11);
  const BulkExtent extent = file->Append(later).value();
  EXPECT_EQ(extent.offset, extents[1].offset);
  EXPECT_EQ(file->end(), *extent.end());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Read(extents[0]).value(), kept);
  EXPECT_EQ(Read(extent).value(), later);
  ExpectLoss(BulkFile::Open(files_, "d/b", *extent.end() + 1).status(), "its last extent");
  ExpectLoss(BulkFile::Open(files_, "d/b2", 0).status(), "no such file");
  EXPECT_FALSE(disk_.Has("d/b2"));
}

TEST_F(BulkFileTest, TheNameIsSyncedOnceAndAfterTheBytes) {
  std::vector<std::string> synced;
  files_.set_decide_sync([&](const std::string& path) {
    synced.push_back(path);
    return absl::OkStatus();
  });
  auto file = BulkFile::Create(files_, "d/b").value();
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Append(Pattern(1, 1)).ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(synced, ElementsAre("d/b", "d", "d/b"));
}

TEST_F(BulkFileTest, WhatFailedToSyncIsNeverSyncedAgain) {
  for (const std::string failing : {"d/b", "d"}) {
    int after = 0;
    bool failed = false;
    files_.set_decide_sync([&](const std::string& path) {
      after += failed ? 1 : 0;
      failed = failed || path == failing;
      return path == failing ? absl::UnavailableError("first") : absl::OkStatus();
    });
    auto file = BulkFile::Create(files_, "d/b").value();
    ASSERT_TRUE(file->Append(Pattern(10, 1)).ok());
    EXPECT_EQ(file->Sync().message(), "first");
    EXPECT_EQ(file->Sync().message(), "first");
    EXPECT_EQ(file->Append(Pattern(10, 1)).status().message(), "first");
    EXPECT_EQ(after, 0);
  }
}

TEST_F(BulkFileTest, AfterAFailedWriteNothingIsSynced) {
  int syncs = 0;
  files_.set_decide_sync([&](const std::string&) {
    ++syncs;
    return absl::OkStatus();
  });
  for (const int which : {0, 1}) {  // the bytes, their table
    int writes = 0;
    files_.set_decide_write(
        [&](const FaultFileSystem::Attempt&) { return writes++ == which ? ENOSPC : 0; });
    auto file = BulkFile::Create(files_, "d/b").value();
    const absl::Status first = file->Append(Pattern(10, 1)).status();
    EXPECT_EQ(first.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(first.message()), HasSubstr("write d/b at byte"));
    EXPECT_EQ(file->Append(Pattern(10, 1)).status(), first);
    EXPECT_EQ(file->Sync(), first);
  }
  EXPECT_EQ(syncs, 0);
}

}  // namespace
}  // namespace longtake
