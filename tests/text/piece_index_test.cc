// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/piece_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace longtake {
namespace {

using ::testing::HasSubstr;

TEST(PieceIndex, AgreesWithAMap) {
  std::mt19937 random(1);
  const auto word = [&random](size_t length_max) {
    std::string out;
    // Few letters, so that pieces share prefixes; the extremes of a byte among them.
    for (size_t i = 0, n = 1 + random() % length_max; i < n; ++i) out += "ab\xFF\x01"[random() % 4];
    return out;
  };
  for (int round = 0; round < 50; ++round) {
    std::map<std::string, int32_t> truth;
    for (int i = 0; i < 60; ++i) truth.emplace(word(5), i);
    std::vector<PieceIndex::Piece> pieces;
    for (const auto& [text, id] : truth) pieces.push_back({text, id});
    std::shuffle(pieces.begin(), pieces.end(), random);
    const auto index = PieceIndex::Create(pieces);
    ASSERT_TRUE(index.ok());
    for (int i = 0; i < 300; ++i) {
      const std::string text = word(8);
      const auto exact = truth.find(text);
      EXPECT_EQ(index->Find(text), exact == truth.end() ? -1 : exact->second);
      size_t longest = 0;
      for (size_t n = 1; n <= text.size(); ++n)
        longest = truth.contains(text.substr(0, n)) ? n : longest;
      const auto match = index->LongestPrefix(text);
      EXPECT_EQ(match ? match->bytes : 0, longest);
    }
  }
}

TEST(PieceIndex, RefusesEmptyAndDuplicatePieces) {
  EXPECT_THAT(std::string(PieceIndex::Create({{"a", 1}, {"", 4}}).status().message()),
              HasSubstr("piece 4 is empty"));
  EXPECT_THAT(std::string(PieceIndex::Create({{"ab", 7}, {"x", 1}, {"ab", 3}}).status().message()),
              HasSubstr("pieces 3 and 7 are the same text \"ab\""));
}

TEST(PieceIndex, EmptyIndexFindsNothing) {
  const PieceIndex index;
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.Find("a"), -1);
  EXPECT_EQ(index.Find(""), -1);
}

}  // namespace
}  // namespace longtake
