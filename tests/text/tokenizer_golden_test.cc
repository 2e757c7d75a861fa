// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Golden case F10 (docs/spec 7.2): ids of two small models by SentencePiece itself and by the
// published fast tokenizer, and properties of Encode on the same files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/text/tokenizer.h"

namespace longtake {
namespace {

using nlohmann::json;

std::string ReadFixture(const std::string& name) {
  const char* root = std::getenv("LONGTAKE_SOURCE_DIR");
  const std::string path =
      std::string(root == nullptr ? "." : root) + "/tests/golden/fixtures/" + name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::StatusOr<Tokenizer> Load(const std::string& name) {
  const std::string bytes = ReadFixture("f10_" + name);
  if (name.ends_with(".json")) return Tokenizer::FromTokenizerJson(bytes);
  // The fixture has the ids of SentencePiece alone, which does not look for </s> in a text.
  return Tokenizer::FromSpiece(bytes, {.match_control_pieces = false});
}

class TokenizerGolden : public testing::TestWithParam<const char*> {
 protected:
  static const json& Cases() {
    static const json fixture = json::parse(ReadFixture("f10.json"));
    return fixture.at("cases");
  }
};

TEST_P(TokenizerGolden, SameIds) {
  const auto tokenizer = Load(GetParam());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  ASSERT_GE(Cases().size(), 200u);
  for (const json& golden : Cases()) {
    const auto text = golden.at("text").get<std::string>();
    const auto ids = golden.at(GetParam()).get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer->Encode(text, 1 << 20), ids) << text;
  }
}

TEST_P(TokenizerGolden, TruncationKeepsAPrefixAndTheEnd) {
  const auto tokenizer = Load(GetParam());
  ASSERT_TRUE(tokenizer.ok());
  for (const json& golden : Cases()) {
    const auto text = golden.at("text").get<std::string>();
    const auto all = golden.at(GetParam()).get<std::vector<int32_t>>();
    for (const size_t limit : {1u, 2u, 7u, 512u}) {
      std::vector<int32_t> expected = all;
      if (expected.size() > limit) {
        expected.resize(limit);
        expected.back() = tokenizer->eos_id();
      }
      EXPECT_EQ(tokenizer->Encode(text, static_cast<int>(limit)), expected);
    }
  }
  EXPECT_TRUE(tokenizer->Encode("text", 0).empty());
  EXPECT_TRUE(tokenizer->Encode("text", -1).empty());
}

TEST_P(TokenizerGolden, InvalidBytesCountAsReplacementCharacters) {
  const auto tokenizer = Load(GetParam());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->Encode("a \xFF\xC3 b", 99), tokenizer->Encode("a \uFFFD\uFFFD b", 99));
}

TEST_P(TokenizerGolden, CopiesAndMovesEncodeTheSame) {
  auto tokenizer = Load(GetParam());
  ASSERT_TRUE(tokenizer.ok());
  const std::vector<int32_t> ids = tokenizer->Encode("Ein roter Ball </s>", 99);
  const Tokenizer copy = *tokenizer;
  const Tokenizer moved = *std::move(tokenizer);
  EXPECT_EQ(copy.Encode("Ein roter Ball </s>", 99), ids);
  EXPECT_EQ(moved.Encode("Ein roter Ball </s>", 99), ids);
}

INSTANTIATE_TEST_SUITE_P(F10, TokenizerGolden,
                         testing::Values("nmt_nfkc.spiece.model", "identity.spiece.model",
                                         "nmt_nfkc.tokenizer.json", "identity.tokenizer.json",
                                         "identity_words.tokenizer.json"));

}  // namespace
}  // namespace longtake
