// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/charsmap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engine/text/grapheme_charsmap.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::string U32(uint32_t value) {
  std::string out;
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string Blob(const std::vector<uint32_t>& units, const std::string& replacements) {
  std::string trie;
  for (const uint32_t unit : units) trie += U32(unit);
  return U32(static_cast<uint32_t>(trie.size())) + trie + replacements;
}

constexpr uint32_t kLeaf = 1u << 8;
constexpr uint32_t kValue = 1u << 31;
constexpr uint32_t Unit(uint32_t label, uint32_t offset, uint32_t leaf = 0) {
  return offset << 10 | leaf | label;
}

// "a" -> "X", "ab" -> "YZ", laid out by hand: the root's children lie at 256 ^ byte.
std::vector<uint32_t> SmallTrie() {
  std::vector<uint32_t> units(1024, 0);
  units[0] = Unit(0, 256);
  const uint32_t a = 256 ^ 'a';
  units[a] = Unit('a', a ^ 512, kLeaf);
  units[512] = kValue | 0;
  const uint32_t ab = 512 ^ 'b';
  units[ab] = Unit('b', ab ^ 768, kLeaf);
  units[768] = kValue | 2;
  return units;
}

const std::string kReplacements("X\0YZ\0", 5);

std::string ErrorOf(const std::string& blob) {
  return std::string(Charsmap::Parse(blob).status().message());
}

TEST(Charsmap, FindsLongestAndShortestKey) {
  const auto map = Charsmap::Parse(Blob(SmallTrie(), kReplacements));
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->replacement_bytes_max(), 2u);
  EXPECT_EQ(map->Longest("abc")->replacement, "YZ");
  EXPECT_EQ(map->Longest("abc")->bytes, 2u);
  EXPECT_EQ(map->Shortest("abc")->replacement, "X");
  EXPECT_EQ(map->Longest("acb")->bytes, 1u);
  EXPECT_FALSE(map->Longest("ba").has_value());
  EXPECT_FALSE(map->Longest("").has_value());
}

TEST(Charsmap, EmptyMapFindsNothing) {
  const auto map = Charsmap::Parse("");
  ASSERT_TRUE(map.ok());
  EXPECT_FALSE(map->Longest("a").has_value());
}

TEST(Charsmap, RefusesWhatIsBroken) {
  EXPECT_THAT(ErrorOf("abc"), HasSubstr("4 byte header"));
  EXPECT_THAT(ErrorOf(U32(8) + U32(0)), HasSubstr("trie size of 8 bytes in a blob of 8"));
  EXPECT_THAT(ErrorOf(U32(3) + "abcdef"), HasSubstr("trie size"));
  EXPECT_THAT(ErrorOf(U32(0) + "abcdef"), HasSubstr("trie size"));
  EXPECT_THAT(ErrorOf(U32(0xFFFFFFFF) + "abcdef"), HasSubstr("trie size"));
  EXPECT_THAT(ErrorOf(Blob({0}, "abc")), HasSubstr("not ended by NUL"));
  EXPECT_THAT(ErrorOf(Blob({0}, std::string("\xC3\0", 2))), HasSubstr("UTF-8"));
  EXPECT_THAT(ErrorOf(Blob({0}, std::string(257, 'x') + std::string(1, '\0'))),
              HasSubstr("longer than 256"));
  EXPECT_THAT(ErrorOf(Blob({0, kValue | 5}, kReplacements)), HasSubstr("unit 1 points behind"));
  EXPECT_THAT(ErrorOf(Blob({kValue}, "")), HasSubstr("unit 0 points behind"));
}

TEST(Charsmap, AnyTrieCanOnlyFailToMatch) {
  // Offsets that leave the array, and a leaf whose value is none.
  const auto outside = Charsmap::Parse(Blob({Unit(0, 0x1FFFFF)}, kReplacements));
  ASSERT_TRUE(outside.ok());
  EXPECT_FALSE(outside->Longest("a").has_value());
  std::vector<uint32_t> units = SmallTrie();
  units[512] = 0;
  const auto no_value = Charsmap::Parse(Blob(units, kReplacements));
  ASSERT_TRUE(no_value.ok());
  EXPECT_FALSE(no_value->Longest("ab").has_value());
}

TEST(Charsmap, GraphemesAreReplacedWhole) {
  const auto map = Charsmap::Parse(Blob(SmallTrie(), kReplacements));
  ASSERT_TRUE(map.ok());
  // The mark belongs to the a before it, and the shortest key replaces both.
  EXPECT_EQ(MapGraphemes(*map, "a\u0301b"), "Xb");
  EXPECT_EQ(MapGraphemes(*map, "abc"), "Xbc");
  // Six bytes and more go character by character.
  EXPECT_EQ(MapGraphemes(*map, "a\u0301\u0301\u0301"), "X\u0301\u0301\u0301");
  EXPECT_EQ(MapGraphemes(*map, ""), "");
}

}  // namespace
}  // namespace longtake
