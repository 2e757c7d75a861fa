// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/scratch/scratch_file.h"

#include <gmock/gmock.h>

#include <deque>
#include <filesystem>
#include <random>

#include "storage/scratch/byte_ring.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kBlock = ScratchFile::kBlockBytes;

std::string ScratchDirectory() { return std::filesystem::temp_directory_path().string(); }

std::unique_ptr<ScratchFile> MakeFile(uint64_t blocks) {
  auto file = ScratchFile::Create(PosixFileSystem(), ScratchDirectory(), blocks * kBlock);
  LT_CHECK(file.ok());
  return *std::move(file);
}

TEST(ScratchFileTest, PlacesNeverOverlapAndAllComeBack) {
  const auto file = MakeFile(100);
  std::mt19937 random(1);
  struct Held {
    std::vector<uint64_t> places;
    uint64_t bytes = 0;
  };
  std::vector<Held> held;
  for (int turn = 0; turn < 2000; ++turn) {
    if (!held.empty() && random() % 2 == 0) {
      const size_t i = random() % held.size();
      file->Give(held[i].places, held[i].bytes);
      held.erase(held.begin() + static_cast<ptrdiff_t>(i));
    }
    const uint64_t bytes = (1 + random() % 5) * kBlock;
    auto places = file->Take(bytes, 1 + random() % 6);
    if (places.ok()) held.push_back({*std::move(places), bytes});
    std::vector<bool> used(100, false);
    uint64_t taken = 0;
    for (const Held& one : held) {
      for (const uint64_t place : one.places) {
        for (uint64_t at = place; at < place + one.bytes; at += kBlock) {
          ASSERT_LT(at / kBlock, 100u);
          ASSERT_FALSE(used[at / kBlock]);
          used[at / kBlock] = true;
        }
        taken += one.bytes;
      }
    }
    ASSERT_EQ(file->bytes_taken(), taken);
  }
  for (const Held& one : held) file->Give(one.places, one.bytes);
  EXPECT_EQ(file->bytes_taken(), 0u);
  EXPECT_TRUE(file->Take(100 * kBlock, 1).ok()) << "what came back lies together again";
}

TEST(ScratchFileTest, WhatDoesNotFitIsRefusedWithFigures) {
  const auto file = MakeFile(10);
  const auto large = file->Take(kBlock, 11);
  EXPECT_EQ(large.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(large.status().message()), HasSubstr("40960 of 40960 are free"));
  ASSERT_TRUE(file->Take(4 * kBlock, 2).ok());
  const auto more = file->Take(kBlock, 3);
  EXPECT_THAT(std::string(more.status().message()), HasSubstr("8192 of 40960 are free"));
  EXPECT_EQ(file->Take(kBlock, UINT64_MAX / kBlock).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(file->Take(kBlock, UINT64_MAX).ok());
  EXPECT_FALSE(file->Take(UINT64_MAX / kBlock * kBlock, 1).ok());
  EXPECT_EQ(file->bytes_taken(), 8 * kBlock);
  EXPECT_FALSE(ScratchFile::Create(PosixFileSystem(), ScratchDirectory(), 100).ok());
  EXPECT_FALSE(ScratchFile::Create(PosixFileSystem(), "/nowhere", 1 << 20).ok());
}

TEST(ByteRingTest, PiecesAreInOneRunAndNeverOverlap) {
  std::mt19937 random(2);
  for (int turn = 0; turn < 50; ++turn) {
    ByteRing ring(64);
    std::deque<std::pair<uint64_t, uint64_t>> pieces;
    for (int i = 0; i < 500; ++i) {
      if (!pieces.empty() && random() % 3 == 0) {  // mostly the oldest
        const size_t one = std::min<size_t>(random() % 8 / 5, pieces.size() - 1);
        ring.Give(pieces[one].first);
        pieces.erase(pieces.begin() + static_cast<ptrdiff_t>(one));
      }
      ASSERT_EQ(ring.empty(), pieces.empty());
      const uint64_t bytes = 1 + random() % 24;
      const auto begin = ring.Take(bytes);
      if (!begin.has_value()) {
        ASSERT_FALSE(pieces.empty()) << "an empty ring has room";
        continue;
      }
      ASSERT_LE(*begin + bytes, 64u);
      for (const auto& [other, end] : pieces) ASSERT_TRUE(*begin >= end || *begin + bytes <= other);
      pieces.emplace_back(*begin, *begin + bytes);
    }
  }
  EXPECT_FALSE(ByteRing(64).Take(65).has_value());
}

}  // namespace
}  // namespace longtake
