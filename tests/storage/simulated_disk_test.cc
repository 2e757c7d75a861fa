// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/storage/simulated_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kSeeds = 400;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// What the file holds after a crash, over many seeds; "gone" without its name. One letter for each
// sector, as long as the file.
std::set<std::string> AfterCrash(const SimulatedDisk& disk, const std::string& path) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto after = disk.CrashedCopy(seed);
    std::string letters = "gone";
    if (after->Has(path)) {
      letters.clear();
      const auto& bytes = after->Contents(path);
      for (size_t at = 0; at < bytes.size(); at += 512) {
        const char letter = static_cast<char>(bytes[at]);
        letters += letter == 0 ? '0' : letter;
      }
    }
    seen.insert(letters);
  }
  return seen;
}

class SimulatedDiskTest : public ::testing::Test {
 protected:
  // A durable file of so many sectors, open.
  std::unique_ptr<File> Durable(const std::string& path, const std::string& letters) {
    auto file = disk_.Create(path).value();
    Write(*file, 0, letters);
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_TRUE(disk_.SyncDir(DirName(path)).ok());
    return file;
  }
  static void Write(File& file, uint64_t sector, const std::string& letters) {
    std::string text;
    for (const char letter : letters) text += std::string(512, letter);
    EXPECT_TRUE(file.WriteAt(sector * 512, Bytes(text)).ok());
  }
  std::set<std::string> AfterCrash(const std::string& path) {
    return longtake::AfterCrash(disk_, path);
  }

  SimulatedDisk disk_;
};

TEST_F(SimulatedDiskTest, WhatWasSyncedStays) {
  const auto file = Durable("d/f", "ab");
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("ab"));
}

TEST_F(SimulatedDiskTest, UnsyncedSectorsAreOldOrNewEachForItself) {
  const auto file = Durable("d/f", "aa");
  Write(*file, 0, "bb");
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("aa", "ab", "ba", "bb"));
  Write(*file, 0, "c");
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("aa", "ab", "ba", "bb", "ca", "cb"));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("cb"));
}

TEST_F(SimulatedDiskTest, SectorsOf4096BytesAreWhole) {
  const auto file = Durable("d/f", "aaaaaaaa");
  Write(*file, 0, "bbbbbbbb");
  const auto seen = AfterCrash("d/f");
  EXPECT_TRUE(seen.contains("aaaaaaaa") && seen.contains("bbbbbbbb"));
  size_t whole = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto after = disk_.CrashedCopy(seed);
    const auto& bytes = after->Contents("d/f");
    whole += std::set<std::byte>(bytes.begin(), bytes.end()).size() == 1 ? 1 : 0;
  }
  EXPECT_GT(whole, kSeeds / 2);
  EXPECT_LT(whole, kSeeds);
}

TEST_F(SimulatedDiskTest, SizesAreOldOrNew) {
  const auto file = Durable("d/f", "a");
  Write(*file, 1, "b");
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("a", "a0", "ab"));
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Truncate(512).ok());
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("a", "ab", "a0"));
  ASSERT_TRUE(file->Sync().ok());
  Write(*file, 2, "c");
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("a0c"));
}

TEST_F(SimulatedDiskTest, NamesAreKeptOrLostUntilTheirDirectoryIsSynced) {
  const auto file = disk_.Create("d/f").value();
  Write(*file, 0, "a");
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("a", "gone"));
  ASSERT_TRUE(disk_.SyncDir("other").ok());
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("a", "gone"));
  ASSERT_TRUE(disk_.SyncDir("d").ok());
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("a"));
  ASSERT_TRUE(disk_.Remove("d/f").ok());
  EXPECT_FALSE(disk_.Has("d/f"));
  Write(*file, 0, "b");  // who has it open goes on
  EXPECT_TRUE(AfterCrash("d/f").contains("gone"));
  ASSERT_TRUE(disk_.SyncDir("d").ok());
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("gone"));
}

TEST_F(SimulatedDiskTest, ARenameIsWhole) {
  const auto old = Durable("d/f", "a");
  const auto next = Durable("d/f.tmp", "b");
  ASSERT_TRUE(disk_.Rename("d/f.tmp", "d/f").ok());
  EXPECT_EQ(disk_.List("d").value(), std::vector<std::string>{"f"});
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto after = disk_.CrashedCopy(seed);
    const bool done = after->Contents("d/f")[0] == std::byte{'b'};
    EXPECT_EQ(after->Has("d/f.tmp"), !done);
  }
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("a", "b"));
}

// As after a failed fsync of Linux: the next one says ok and has done nothing for these bytes.
TEST_F(SimulatedDiskTest, AfterAFailedSyncNothingIsKnown) {
  const auto file = Durable("d/f", "a0000000a");
  Write(*file, 0, "b");
  disk_.set_decide(
      [](const DiskCall& call) { return DiskFault{.error = call.op == DiskOp::kSync ? EIO : 0}; });
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kUnavailable);
  disk_.set_decide(nullptr);
  Write(*file, 8, "c");
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("a0000000c", "b0000000c"));
  Write(*file, 0, "d");  // written again, it is synced again
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("d0000000c"));
}

TEST_F(SimulatedDiskTest, AfterAFailedSyncOfADirectoryItsNamesAreNotKnown) {
  const auto file = disk_.Create("d/f").value();
  disk_.set_decide([](const DiskCall&) { return DiskFault{.error = EIO}; });
  EXPECT_FALSE(disk_.SyncDir("d").ok());
  disk_.set_decide(nullptr);
  EXPECT_TRUE(disk_.SyncDir("d").ok());
  EXPECT_THAT(AfterCrash("d/f"), UnorderedElementsAre("", "gone"));
}

TEST_F(SimulatedDiskTest, CallsFailAsTheFunctionSays) {
  const auto file = Durable("d/f", "ab");
  std::vector<DiskOp> ops;
  disk_.set_decide([&](const DiskCall& call) {
    ops.push_back(call.op);
    return DiskFault{.error = call.number == 2 ? ENOSPC : 0, .bytes_max = 100};
  });
  Write(*file, 0, "");
  std::vector<std::byte> out(300);
  EXPECT_EQ(file->ReadSome(0, out), 100);
  EXPECT_EQ(file->WriteSome(0, out), 100);
  EXPECT_EQ(file->WriteAt(0, out).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(file->WriteAt(0, out).ok());  // in pieces
  EXPECT_TRUE(disk_.Size("d/f").ok());
  EXPECT_THAT(ops, ElementsAre(DiskOp::kRead, DiskOp::kWrite, DiskOp::kWrite, DiskOp::kWrite,
                               DiskOp::kWrite, DiskOp::kWrite, DiskOp::kAsk));
  EXPECT_EQ(disk_.calls(), 7u);
}

TEST_F(SimulatedDiskTest, IsFullWhenItIsFull) {
  const auto file = Durable("d/f", "ab");
  disk_.set_bytes_max(1536);
  EXPECT_EQ(disk_.FreeSpace("d").value(), 512u);
  const std::vector<std::byte> bytes(1024);
  EXPECT_EQ(file->WriteAt(1024, bytes).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(file->WriteAt(512, bytes).ok());
}

TEST_F(SimulatedDiskTest, ACrashEndsWhatWasOpenAndLocked) {
  auto file = Durable("d/f", "a");
  ASSERT_TRUE(file->Lock().ok());
  EXPECT_EQ(disk_.OpenReadWrite("d/f").value()->Lock().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(disk_.OpenReadWrite("d/f").value()->Lock().ok());
  disk_.Crash(1);
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_FALSE(file->WriteAt(0, Bytes("x")).ok());
  EXPECT_FALSE(file->Size().ok());
  const auto again = disk_.OpenReadWrite("d/f").value();
  EXPECT_TRUE(again->Lock().ok());
  file.reset();
  EXPECT_FALSE(disk_.OpenReadWrite("d/f").value()->Lock().ok());
  ASSERT_TRUE(disk_.Remove("d/f").ok() && disk_.SyncDir("d").ok());
  EXPECT_TRUE(again->WriteAt(0, Bytes("x")).ok());  // the dead one has not closed it
}

TEST_F(SimulatedDiskTest, AKilledProcessLosesNothingUntilPowerIsLost) {
  const auto file = Durable("d/f", "a");
  ASSERT_TRUE(file->Lock().ok());
  Write(*file, 0, "b");
  const auto after = disk_.KilledCopy();
  EXPECT_EQ(after->Contents("d/f")[0], std::byte{'b'});
  EXPECT_THAT(longtake::AfterCrash(*after, "d/f"), UnorderedElementsAre("a", "b"));
  EXPECT_TRUE(after->OpenReadWrite("d/f").value()->Lock().ok());
}

TEST_F(SimulatedDiskTest, DamageIsThereBeforeAndAfterACrash) {
  const auto file = Durable("d/f", "a");
  disk_.Damage("d/f", 0, std::byte{'a' ^ 'x'});
  EXPECT_EQ(disk_.Contents("d/f")[0], std::byte{'x'});
  EXPECT_THAT(AfterCrash("d/f"), ElementsAre("x"));
}

}  // namespace
}  // namespace longtake
