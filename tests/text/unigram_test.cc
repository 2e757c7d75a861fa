// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/unigram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

UnigramSpec Spec(std::vector<UnigramPiece> pieces) {
  UnigramSpec spec;
  spec.pieces = {{"<unk>", 0, false}};
  for (UnigramPiece& piece : pieces) spec.pieces.push_back(std::move(piece));
  spec.unknown_id = 0;
  for (const UnigramPiece& piece : spec.pieces) {
    if (piece.found_in_text) spec.score_min = std::min(spec.score_min, piece.score);
  }
  spec.byte_ids.fill(-1);
  return spec;
}

std::vector<int32_t> Encode(const UnigramSpec& spec, std::string_view word) {
  const auto model = Unigram::Create(spec);
  EXPECT_TRUE(model.ok()) << model.status();
  std::vector<int32_t> ids;
  model->Encode(word, ids);
  return ids;
}

std::string ErrorOf(const UnigramSpec& spec) {
  return std::string(Unigram::Create(spec).status().message());
}

TEST(Unigram, TakesTheLargestSum) {
  const UnigramSpec spec = Spec({{"a", -2}, {"b", -2}, {"ab", -3}, {"abc", -9}, {"c", -1}});
  EXPECT_THAT(Encode(spec, "abc"), ElementsAre(3, 5));
  EXPECT_THAT(Encode(spec, "ba"), ElementsAre(2, 1));
  EXPECT_THAT(Encode(spec, ""), ElementsAre());
}

TEST(Unigram, TheFirstFoundOfEqualSumsWins) {
  // "abc" ends with the piece that starts first: found from the smaller offset.
  EXPECT_THAT(Encode(Spec({{"a", -1}, {"bc", -2}, {"ab", -2}, {"c", -1}}), "abc"),
              ElementsAre(1, 2));
  EXPECT_THAT(Encode(Spec({{"a", -1}, {"b", -1}, {"ab", -2}}), "ab"), ElementsAre(3));
}

TEST(Unigram, SumsAreDoublePrecision) {
  // In fp32 both sums are equal and the first found, "ab", would win.
  const UnigramSpec spec = Spec({{"a", -16777216}, {"b", -0.25}, {"ab", -16777216.5}});
  EXPECT_THAT(Encode(spec, "ab"), ElementsAre(1, 2));
  // The sum on the way would lose a quarter, and with it "a", "b" would win.
  EXPECT_THAT(Encode(Spec({{"a", -16777216.25}, {"b", -0.25}, {"ab", -16777216.375}}), "ab"),
              ElementsAre(3));
}

TEST(Unigram, UnknownNeighboursBecomeOne) {
  const UnigramSpec spec = Spec({{"a", -1}});
  EXPECT_THAT(Encode(spec, "\u4E00\u4E01a\U0001F600\u4E02"), ElementsAre(0, 1, 0));
}

TEST(Unigram, AnUnknownCharacterCostsTenMoreThanTheWorst) {
  // "xy" against x unknown (-5 - 10) and y (-5): -20.
  EXPECT_THAT(Encode(Spec({{"y", -5}, {"xy", -4.5}}), "xy"), ElementsAre(2));
  UnigramSpec spec = Spec({{"y", -5}, {"xy", -20.5}});
  spec.score_min = -5;
  EXPECT_THAT(Encode(spec, "xy"), ElementsAre(0, 1));
  spec.pieces[2].score = -19.5;
  EXPECT_THAT(Encode(spec, "xy"), ElementsAre(2));
}

TEST(Unigram, BytesStandForUnknownCharacters) {
  UnigramSpec spec = Spec({{"a", -1}, {"<0xC3>", 0, false}, {"<0xA9>", 0, false}});
  spec.byte_fallback = true;
  spec.byte_ids[0xC3] = 2;
  spec.byte_ids[0xA9] = 3;
  EXPECT_THAT(Encode(spec, "a\u00E9a"), ElementsAre(1, 2, 3, 1));
  // No piece for one of the bytes: the whole stretch is unknown.
  EXPECT_THAT(Encode(spec, "\u00E9\u00EA"), ElementsAre(0));
  spec.byte_fallback = false;
  EXPECT_THAT(Encode(spec, "\u00E9"), ElementsAre(0));
}

TEST(Unigram, MatchesTheBestOfAllCuts) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> score(-12, -1);
  int checked = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<UnigramPiece> pieces;
    for (const char* text : {"a", "b", "c", "ab", "bc", "ca", "aa", "abc", "bca", "aab", "caab"}) {
      if (random() % 4 != 0) pieces.push_back({text, score(random)});
    }
    const UnigramSpec spec = Spec(std::move(pieces));
    std::string word;
    for (size_t i = 0, n = 1 + random() % 9; i < n; ++i) word += "abc"[random() % 3];

    double best = -std::numeric_limits<double>::infinity();
    std::vector<int32_t> best_ids;
    bool tied = false;  // several cuts are best; another test says which one wins
    std::vector<int32_t> ids;
    const std::function<void(size_t, double)> cut = [&](size_t at, double sum) {
      if (at == word.size()) {
        if (sum > best - 1e-9) tied = sum < best + 1e-9;
        if (sum > best) best = sum, best_ids = ids;
        return;
      }
      bool single = false;
      for (size_t id = 1; id < spec.pieces.size(); ++id) {
        const std::string& text = spec.pieces[id].text;
        if (word.compare(at, text.size(), text) != 0) continue;
        single = single || text.size() == 1;
        ids.push_back(static_cast<int32_t>(id));
        cut(at + text.size(), sum + spec.pieces[id].score);
        ids.pop_back();
      }
      if (single) return;
      ids.push_back(0);
      cut(at + 1, sum + spec.score_min - 10);
      ids.pop_back();
    };
    cut(0, 0);
    if (tied) continue;
    ++checked;
    best_ids.erase(std::unique(best_ids.begin(), best_ids.end(),
                               [](int32_t a, int32_t b) { return a == 0 && b == 0; }),
                   best_ids.end());
    EXPECT_EQ(Encode(spec, word), best_ids) << word;
  }
  EXPECT_GT(checked, 200);
}

TEST(Unigram, AnyBytesEncodeWithoutHarm) {
  const UnigramSpec spec = Spec({{"a", -1}, {"\u00E9", -1}, {"a\u00E9", -1.5}});
  std::mt19937 random(4);
  for (int round = 0; round < 500; ++round) {
    std::string word;
    for (size_t i = 0, n = random() % 12; i < n; ++i) word += "a\xC3\xA9\xFF\x80\xF0"[random() % 6];
    const size_t ids = Encode(spec, word).size();
    EXPECT_LE(ids, word.size());
    EXPECT_EQ(ids == 0, word.empty());
  }
}

TEST(Unigram, NamesTheBadPiece) {
  EXPECT_THAT(ErrorOf(Spec({{"a", -1}, {"", -1}})), HasSubstr("piece 2 is empty"));
  EXPECT_THAT(ErrorOf(Spec({{"\xC3", -1}})), HasSubstr("piece 1 is not valid UTF-8"));
  EXPECT_THAT(ErrorOf(Spec({{std::string(1025, 'a'), -1}})), HasSubstr("piece 1 is longer than"));
  EXPECT_THAT(ErrorOf(Spec({{"a", std::numeric_limits<double>::quiet_NaN()}})),
              HasSubstr("piece 1 has a score that is not finite"));
  EXPECT_THAT(ErrorOf(Spec({{"a", -1}, {"a", -2}})), HasSubstr("pieces 1 and 2 are the same"));
  EXPECT_THAT(ErrorOf(UnigramSpec{}), HasSubstr("vocabulary of 0 pieces"));
  UnigramSpec spec = Spec({{"a", -1}});
  spec.unknown_id = 2;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("unknown piece id 2 is outside"));
}

}  // namespace
}  // namespace longtake
