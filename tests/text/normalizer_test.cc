// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/pre_tokenizer.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string RunStep(NormalizerStep step, std::string_view text) {
  const auto normalizer = Normalizer::Create({std::move(step)});
  EXPECT_TRUE(normalizer.ok()) << normalizer.status();
  return normalizer->Normalize(text);
}

TEST(Normalizer, ReplaceTextAndRuns) {
  EXPECT_EQ(RunStep(ReplaceText{"ab", 0, "x"}, "ababb abc"), "xxb xc");
  EXPECT_EQ(RunStep(ReplaceText{" ", 2, "_"}, "a b  c     "), "a b_c_");
  EXPECT_EQ(RunStep(ReplaceText{" ", 1, "_"}, " a  b"), "_a_b");
  EXPECT_EQ(RunStep(ReplaceText{"a", 0, ""}, "banana"), "bnn");
}

TEST(Normalizer, StripAndPrepend) {
  EXPECT_EQ(RunStep(StripSpaces{true, true}, "\u3000 a b\n\u00A0"), "a b");
  EXPECT_EQ(RunStep(StripSpaces{false, true}, "  a "), "  a");
  EXPECT_EQ(RunStep(StripSpaces{true, false}, "  a "), "a ");
  EXPECT_EQ(RunStep(StripSpaces{true, true}, " \t "), "");
  EXPECT_EQ(RunStep(PrependText{"_"}, "a"), "_a");
  EXPECT_EQ(RunStep(PrependText{"_"}, ""), "");
}

TEST(Normalizer, UnicodeForms) {
  EXPECT_EQ(RunStep(UnicodeForm::kNfc, "e\u0301\uFB01"), "\u00E9\uFB01");
  EXPECT_EQ(RunStep(UnicodeForm::kNfd, "\u00E9"), "e\u0301");
  EXPECT_EQ(RunStep(UnicodeForm::kNfkc, "\uFB01\uFF21"), "fiA");
  EXPECT_EQ(RunStep(UnicodeForm::kNfkd, "\u00E9\u2460"),
            "e\u0301"
            "1");
}

TEST(Normalizer, StepsRunInOrder) {
  const auto normalizer =
      Normalizer::Create({ReplaceText{"a", 0, "bb"}, ReplaceText{"b", 2, "c"}, PrependText{">"}});
  ASSERT_TRUE(normalizer.ok());
  EXPECT_EQ(normalizer->Normalize("ab a"), ">c c");
}

TEST(Normalizer, RefusesStepsThatExplode) {
  std::vector<NormalizerStep> steps(4, ReplaceText{"a", 0, "aaaaaaaaaaaaaaaa"});
  EXPECT_THAT(std::string(Normalizer::Create(steps).status().message()),
              HasSubstr("more than 4096 times longer"));
  steps.assign(17, StripSpaces{});
  EXPECT_THAT(std::string(Normalizer::Create(steps).status().message()), HasSubstr("17 steps"));
}

TEST(SpieceNormalizer, FoldsSpaces) {
  SpieceNormalizer rules;
  EXPECT_EQ(RunStep(rules, "  a   b "), "\u2581a\u2581b");
  EXPECT_EQ(RunStep(rules, "   "), "");
  EXPECT_EQ(RunStep(rules, ""), "");
  rules.remove_extra_whitespaces = false;
  EXPECT_EQ(RunStep(rules, " a  b "), "\u2581\u2581a\u2581\u2581b\u2581");
  rules.add_dummy_prefix = false;
  EXPECT_EQ(RunStep(rules, "a"), "a");
  rules.escape_whitespaces = false;
  EXPECT_EQ(RunStep(rules, "a b"), "a b");
  rules = {};
  rules.whitespace_as_suffix = true;
  EXPECT_EQ(RunStep(rules, " a b"), "a\u2581b\u2581");
}

TEST(PreTokenizer, CutsBeforeTheMetaspace) {
  PreTokenizer rules;
  EXPECT_THAT(rules.Words("a b", true), ElementsAre("a b"));
  EXPECT_THAT(rules.Words("", true), ElementsAre());
  rules.metaspace = "_";
  EXPECT_THAT(rules.Words("a b  c", true), ElementsAre("_a", "_b", "_", "_c"));
  EXPECT_THAT(rules.Words(" a", true), ElementsAre("_a"));
  EXPECT_THAT(rules.Words(" ", true), ElementsAre("_"));
  rules.split_metaspace = false;
  EXPECT_THAT(rules.Words("a b", true), ElementsAre("_a_b"));
  rules.prepend = PreTokenizer::Prepend::kFirst;
  EXPECT_THAT(rules.Words("a", false), ElementsAre("a"));
  EXPECT_THAT(rules.Words("a", true), ElementsAre("_a"));
  rules.prepend = PreTokenizer::Prepend::kNever;
  EXPECT_THAT(rules.Words("a b", true), ElementsAre("a_b"));
}

TEST(PreTokenizer, CutsAtWhiteSpaceFirst) {
  PreTokenizer rules;
  rules.split_whitespace = true;
  EXPECT_THAT(rules.Words(" a\u3000b\n", true), ElementsAre("a", "b"));
  EXPECT_THAT(rules.Words(" \t", true), ElementsAre());
  rules.metaspace = "_";
  rules.prepend = PreTokenizer::Prepend::kFirst;
  EXPECT_THAT(rules.Words("a b", true), ElementsAre("_a", "b"));
}

}  // namespace
}  // namespace longtake
