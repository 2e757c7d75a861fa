// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/spiece_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>

#include "engine/text/tokenizer.h"
#include "tests/text/spiece_builder.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SpieceBuilder Small() {
  SpieceBuilder builder;
  builder.AddControls()
      .Add("\u2581", -3)
      .Add("a", -1)
      .Add(
          "\u2581"
          "a",
          -1.5f);  // 3, 4, 5
  return builder;
}

std::vector<int32_t> Encode(const std::string& bytes, std::string_view text,
                            const SpieceOptions& options = {}) {
  const auto tokenizer = Tokenizer::FromSpiece(bytes, options);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? tokenizer->Encode(text, 100) : std::vector<int32_t>();
}

std::string ErrorOf(const std::string& bytes, const SpieceOptions& options = {}) {
  return std::string(Tokenizer::FromSpiece(bytes, options).status().message());
}

TEST(SpieceModel, EncodesWithTheDefaultsOfTheSchema) {
  EXPECT_THAT(Encode(Small().Build(), " a  aa b"), ElementsAre(5, 5, 4, 3, 2, 1));
  EXPECT_THAT(Encode(Small().Build(), ""), ElementsAre(1));
}

TEST(SpieceModel, ControlPiecesAreMatchedWhenAsked) {
  EXPECT_THAT(Encode(Small().Build(), "a</s>a"), ElementsAre(5, 1, 5, 1));
  EXPECT_THAT(Encode(Small().Build(), "a</s>a", {.match_control_pieces = false}),
              ElementsAre(5, 2, 4, 1));
}

TEST(SpieceModel, ExtraIdsCountBackwards) {
  const auto tokenizer = Tokenizer::FromSpiece(Small().Build(), {.extra_ids = 3});
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->vocab_size(), 9);
  EXPECT_THAT(tokenizer->Encode("a<extra_id_0>a<extra_id_2>", 9), ElementsAre(5, 8, 5, 6, 1));
}

TEST(SpieceModel, PieceTypes) {
  SpieceBuilder builder = Small();
  builder.Add("aaa", 0, kUnused).Add("<z>", 0, kUserDefined).Add("aa", -1.9f);  // 6, 7, 8
  EXPECT_THAT(Encode(builder.Build(), "aaa"), ElementsAre(5, 8, 1));
  EXPECT_THAT(Encode(builder.Build(), "a<z>"), ElementsAre(5, 7, 1));
}

TEST(SpieceModel, ByteFallbackNeedsAllBytes) {
  SpieceBuilder builder = Small();
  builder.trainer = WireInt(35, 1);
  EXPECT_THAT(ErrorOf(builder.Build()), HasSubstr("there is no piece for byte 0"));
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    builder.Add(name, 0, kByte);
  }
  EXPECT_THAT(Encode(builder.Build(), "a\u00E9"), ElementsAre(5, 6 + 0xC3, 6 + 0xA9, 1));
  builder.trainer = "";
  EXPECT_THAT(Encode(builder.Build(), "a\u00E9"), ElementsAre(5, 2, 1));
}

TEST(SpieceModel, EndPieceMayHaveAnotherName) {
  SpieceBuilder builder;
  builder.Add("<unk>", 0, kUnknown).Add("<eos>", 0, kControl).Add("a", -1).Add("\u2581", -1);
  EXPECT_THAT(ErrorOf(builder.Build()), HasSubstr("there is no control piece </s>"));
  builder.trainer = WireBytes(47, "<eos>");
  EXPECT_THAT(Encode(builder.Build(), "a"), ElementsAre(3, 2, 1));
}

TEST(SpieceModel, NamesWhatIsWrong) {
  const std::string good = Small().Build();
  EXPECT_THAT(ErrorOf(""), HasSubstr("there is no normal piece"));
  EXPECT_THAT(ErrorOf("not a model"), HasSubstr("spiece.model"));
  EXPECT_THAT(ErrorOf(good + WireBytes(1, "\x0A\x7F")),
              HasSubstr("spiece.model: piece 6: field 1"));
  EXPECT_THAT(ErrorOf(good + WireInt(1, 4)), HasSubstr("field 1 has wire type 0, not 2"));
  EXPECT_THAT(ErrorOf(good + WireBytes(2, WireInt(3, 2))), HasSubstr("model_type 2"));
  EXPECT_THAT(ErrorOf(good + WireBytes(2, WireFloat(3, 2))), HasSubstr("trainer_spec: field 3"));
  EXPECT_THAT(ErrorOf(good + WireBytes(3, WireBytes(3, ""))),
              HasSubstr("normalizer_spec: field 3"));
  EXPECT_THAT(ErrorOf(good + WireBytes(3, WireBytes(2, "xyz"))),
              HasSubstr("normalizer_spec: precompiled_charsmap: shorter"));
  EXPECT_THAT(ErrorOf(Small().Add("a", -1).Build()), HasSubstr("pieces 4 and 6 are the same"));
  EXPECT_THAT(ErrorOf(Small().Add("", -1).Build()), HasSubstr("piece 6 is empty"));
  EXPECT_THAT(ErrorOf(Small().Add("x", 0, kUnknown).Build()), HasSubstr("second unknown piece"));
  EXPECT_THAT(ErrorOf(Small().Add("<0xG1>", 0, kByte).Build()), HasSubstr("no byte piece"));
  EXPECT_THAT(ErrorOf(Small().Add("x", 0, static_cast<SpieceType>(0)).Build()),
              HasSubstr("piece 6: unknown piece type"));
  EXPECT_THAT(ErrorOf(Small().Add("x", 0, static_cast<SpieceType>(7)).Build()),
              HasSubstr("piece 6: unknown piece type"));
  EXPECT_THAT(ErrorOf(Small().Add("x", std::numeric_limits<float>::infinity()).Build()),
              HasSubstr("piece 6 has a score that is not finite"));
  EXPECT_THAT(ErrorOf(good, {.extra_ids = -1}), HasSubstr("extra_ids is -1"));
  EXPECT_THAT(ErrorOf(good, {.extra_ids = 1 << 20}), HasSubstr("extra_ids"));
}

TEST(SpieceModel, DamagedBytesNeverHarm) {
  SpieceBuilder builder = Small();
  builder.normalizer = WireInt(3, 1) + WireInt(4, 0);
  const std::string good = builder.Build();
  for (size_t at = 0; at < good.size(); ++at) {
    // Cut there, or one bit flipped there: an error or a model that still works.
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    for (const std::string& bytes : {good.substr(0, at), flipped}) {
      const auto tokenizer = Tokenizer::FromSpiece(bytes);
      if (tokenizer.ok()) {
        EXPECT_FALSE(tokenizer->Encode("a \u4E00a</s>", 9).empty());
      } else {
        EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("spiece.model"));
      }
    }
  }
}

}  // namespace
}  // namespace longtake
