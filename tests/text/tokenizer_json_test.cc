// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/text/tokenizer.h"

namespace longtake {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json Small() {
  return json::parse(R"({
    "added_tokens": [
      {"id": 0, "content": "<pad>", "special": true, "normalized": false},
      {"id": 1, "content": "</s>", "special": true, "normalized": false},
      {"id": 6, "content": "<x>", "special": true, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}]},
    "model": {"type": "Unigram", "unk_id": 2, "vocab":
      [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["\u2581", -3], ["a", -1], ["\u2581a", -1.5]]}
  })");
}

std::vector<int32_t> Encode(const json& file, std::string_view text) {
  const auto tokenizer = Tokenizer::FromTokenizerJson(file.dump());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? tokenizer->Encode(text, 100) : std::vector<int32_t>();
}

// The error after the value at a JSON pointer was replaced.
std::string ErrorWith(const char* pointer, const json& value) {
  json file = Small();
  file[json::json_pointer(pointer)] = value;
  return std::string(Tokenizer::FromTokenizerJson(file.dump()).status().message());
}

TEST(TokenizerJson, Encodes) {
  EXPECT_THAT(Encode(Small(), "a aa b"), ElementsAre(5, 5, 4, 3, 2, 1));
  EXPECT_THAT(Encode(Small(), "a<x>a</s>"), ElementsAre(5, 6, 5, 1, 1));
  EXPECT_EQ(Tokenizer::FromTokenizerJson(Small().dump())->vocab_size(), 7);
}

TEST(TokenizerJson, AbsentPartsHaveDefaults) {
  json file = Small();
  for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor"}) {
    file.erase(part);
  }
  EXPECT_THAT(Encode(file, "a a"), ElementsAre(4, 2, 4, 1));
}

TEST(TokenizerJson, NormalizersRunInOrder) {
  json file = Small();
  file["normalizer"] = json::parse(R"({"type": "Sequence", "normalizers": [
      {"type": "NFKC"}, {"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": false, "strip_right": true},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]},
      {"type": "Replace", "pattern": {"String": "b"}, "content": "a"},
      {"type": "Precompiled", "precompiled_charsmap": null}]})");
  EXPECT_THAT(Encode(file, "\uFF41  b  "), ElementsAre(5, 5, 1));
}

TEST(TokenizerJson, NormalizedTokensAreFoundAfterNormalizing) {
  json file = Small();
  file["normalizer"] = {{"type", "NFKC"}};
  file["added_tokens"].push_back({{"id", 7}, {"content", "\uFF59"}, {"normalized", true}});
  EXPECT_THAT(Encode(file, "ay"), ElementsAre(5, 7, 1));
  // Not so the others: the full-width text of <x> is no special token.
  EXPECT_THAT(Encode(file, "\uFF1Cx>"), ElementsAre(3, 2, 1));
}

TEST(TokenizerJson, ByteFallback) {
  json file = Small();
  file["model"]["byte_fallback"] = true;
  file["model"]["vocab"].push_back({"<0xC3>", -9});
  file["model"]["vocab"].push_back({"<0xA9>", -9});
  file["added_tokens"].erase(2);
  EXPECT_THAT(Encode(file, "a\u00E9"), ElementsAre(5, 6, 7, 1));
  EXPECT_THAT(Encode(file, "a\u00EA"), ElementsAre(5, 2, 1));
}

TEST(TokenizerJson, NamesWhatIsWrong) {
  EXPECT_THAT(ErrorWith("/model", nullptr), HasSubstr("tokenizer.json: model is missing"));
  EXPECT_THAT(ErrorWith("/model/type", "BPE"), HasSubstr("model \"BPE\" is not supported"));
  EXPECT_THAT(ErrorWith("/model/type", 3), HasSubstr("model: type must be a string"));
  EXPECT_THAT(ErrorWith("/model/unk_id", nullptr), HasSubstr("model: unk_id must be"));
  EXPECT_THAT(ErrorWith("/model/unk_id", -1), HasSubstr("unk_id"));
  EXPECT_THAT(ErrorWith("/model/unk_id", 6), HasSubstr("unknown piece id 6 is outside"));
  EXPECT_THAT(ErrorWith("/model/byte_fallback", "yes"), HasSubstr("byte_fallback must be true"));
  EXPECT_THAT(ErrorWith("/model/vocab", json::object()), HasSubstr("vocab must be a list"));
  EXPECT_THAT(ErrorWith("/model/vocab", json::array()), HasSubstr("vocab must be a list"));
  EXPECT_THAT(ErrorWith("/model/vocab/3", {"a"}), HasSubstr("vocab[3] must be a [piece, score]"));
  EXPECT_THAT(ErrorWith("/model/vocab/3", {"a", "b"}), HasSubstr("vocab[3]"));
  EXPECT_THAT(ErrorWith("/model/vocab/3", {"a", -1}), HasSubstr("pieces 3 and 4 are the same"));
  EXPECT_THAT(ErrorWith("/added_tokens", 1), HasSubstr("added_tokens must be a list"));
  EXPECT_THAT(ErrorWith("/added_tokens/2/id", 3), HasSubstr("added_tokens[2]: id 3 of \"<x>\""));
  EXPECT_THAT(ErrorWith("/added_tokens/0/id", 9), HasSubstr("disagrees with the vocabulary"));
  EXPECT_THAT(ErrorWith("/added_tokens/2/id", 1 << 30), HasSubstr("id is over"));
  EXPECT_THAT(ErrorWith("/added_tokens/2/content", ""), HasSubstr("content must be 1 to"));
  EXPECT_THAT(ErrorWith("/added_tokens/2/lstrip", true), HasSubstr("lstrip is not supported"));
  EXPECT_THAT(ErrorWith("/post_processor/type", "Bert"), HasSubstr("post_processor is not supp"));
  EXPECT_THAT(ErrorWith("/post_processor/single/1/SpecialToken/id", "<e>"),
              HasSubstr("end token \"<e>\""));
}

TEST(TokenizerJson, NamesTheStepThatIsWrong) {
  const auto error = [](const char* step) {
    return ErrorWith("/normalizer", {{"type", "Sequence"},
                                     {"normalizers", {json{{"type", "NFC"}}, json::parse(step)}}});
  };
  EXPECT_THAT(error(R"({"type": "Lowercase"})"),
              HasSubstr("normalizer[1]: normalizer \"Lowercase\" is not supported"));
  EXPECT_THAT(error(R"({"type": "Replace", "pattern": {"Regex": "[a-z]+"}, "content": ""})"),
              HasSubstr("regular expression \"[a-z]+\" is not supported"));
  EXPECT_THAT(error(R"({"type": "Replace", "pattern": {"Regex": ".+"}, "content": ""})"),
              HasSubstr("not supported"));
  EXPECT_THAT(error(R"({"type": "Replace", "pattern": {"Regex": ""}, "content": ""})"),
              HasSubstr("not supported"));
  EXPECT_THAT(error(R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})"),
              HasSubstr("must not be empty"));
  EXPECT_THAT(error(R"({"type": "Replace", "content": ""})"), HasSubstr("pattern is missing"));
  EXPECT_THAT(error(R"({"type": "Precompiled", "precompiled_charsmap": "*"})"),
              HasSubstr("not base64"));
  EXPECT_THAT(error(R"({"type": "Precompiled", "precompiled_charsmap": "AAAA"})"),
              HasSubstr("normalizer[1]: precompiled_charsmap: shorter"));
  EXPECT_THAT(error(R"({"type": "Sequence"})"), HasSubstr("normalizers must be a list"));
  EXPECT_THAT(error("5"), HasSubstr("type must be a string"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/type", "Digits"), HasSubstr("\"Digits\" is not supported"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/replacement", "ab"), HasSubstr("one character"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/prepend_scheme", "last"), HasSubstr("\"last\" is not"));
}

TEST(TokenizerJson, LimitsHoldBeforeParsing) {
  const auto error = [](const std::string& text) {
    return std::string(Tokenizer::FromTokenizerJson(text).status().message());
  };
  EXPECT_THAT(error(std::string(100000, '[')), HasSubstr("more than 32 levels of nesting"));
  EXPECT_THAT(error("[" + std::string(7'000'000, ',')), HasSubstr("more than 6000000 values"));
  EXPECT_THAT(error(std::string(65u << 20, ' ')), HasSubstr("more than 67108864 bytes"));
  EXPECT_THAT(error("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]"),
              HasSubstr("not a JSON object"));
  EXPECT_THAT(error("{\"model\": \"\xFF\"}"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(""), HasSubstr("not a JSON object"));
  // Sequences in sequences: deep, but never recursive.
  json steps = {{"type", "NFC"}};
  for (int i = 0; i < 12; ++i) {
    steps = {{"type", "Sequence"}, {"normalizers", json::array({steps, steps})}};
  }
  EXPECT_THAT(ErrorWith("/normalizer", steps), HasSubstr("more than 16 steps"));
}

TEST(TokenizerJson, DamagedBytesNeverHarm) {
  const std::string good = Small().dump();
  for (size_t at = 0; at < good.size(); ++at) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 7)));
    for (const std::string& bytes : {good.substr(0, at), flipped}) {
      const auto tokenizer = Tokenizer::FromTokenizerJson(bytes);
      if (!tokenizer.ok()) continue;
      EXPECT_FALSE(tokenizer->Encode("a \u4E00a</s>", 9).empty());
    }
  }
}

}  // namespace
}  // namespace longtake
