// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/prompt_cleaner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/html_entities.h"
#include "engine/text/html_unescape.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::string Clean(std::string_view prompt) {
  const auto clean = CleanPrompt(prompt);
  EXPECT_TRUE(clean.ok()) << clean.status();
  return clean.ok() ? *clean : "";
}

TEST(PromptCleaner, FoldsWhiteSpace) {
  EXPECT_EQ(Clean(" a \t b\r\nc\u00A0\u3000d\u2028 \u1680"), "a b c d");
  EXPECT_EQ(Clean(""), "");
  EXPECT_EQ(Clean(" \n "), "");
}

TEST(PromptCleaner, NormalizesCharacters) {
  EXPECT_EQ(Clean("e\u0301"), "\u00E9");
  EXPECT_EQ(Clean("\uFF21\uFF5E\uFF0C\uFF01"), "A~,!");
  EXPECT_EQ(Clean("\uFF76\uFF9E"), "\u30AC");  // half-width ka with voicing mark
  EXPECT_EQ(Clean("\u201Ca\u201D \u2018b\u2019 \u02BC"), "\"a\" 'b' '");
  EXPECT_EQ(Clean("\uFB01\uFB03\u0149\u01C4"), "fiffi'nD\u017D");
  EXPECT_EQ(Clean("\u4E00\u5E40\uFF0C\u7EA2"), "\u4E00\u5E40,\u7EA2");
}

TEST(PromptCleaner, RemovesControls) {
  EXPECT_EQ(Clean(std::string_view("a\0b\x07\x1B\x7F"
                                   "c",
                                   7)),
            "abc");
  EXPECT_EQ(Clean("\uFEFFa\u206Ab\uFFFCc"), "abc");
  EXPECT_EQ(Clean("\x1B[31;1mred\x1B[0m"), "red");
  EXPECT_EQ(Clean("\x1B[31"), "[31");
  EXPECT_EQ(Clean("\u0093a\u0094\u0085"), "\"a\"\u2026");  // C1 controls as Windows-1252
}

TEST(PromptCleaner, UnescapesHtml) {
  EXPECT_EQ(Clean("a &amp;amp;amp; b"), "a & b");
  EXPECT_EQ(Clean("&ldquo;x&rdquo; &#39;y&#x27;"), "\"x\" 'y'");
  // With a < in the text the first step leaves references alone, so the quotes stay curly.
  EXPECT_EQ(Clean("<b> &ldquo;x"), "<b> \u201Cx");
  EXPECT_EQ(Clean("&lt;b&gt; &copy 2026"), "<b> \u00A9 2026");
  EXPECT_EQ(Clean("a&nbsp;b"), "a b");
}

TEST(PromptCleaner, CleaningTwiceChangesNothing) {
  for (const char* prompt : {"a red ball", "\uFF21 &amp; b", "e\u0301 \u201Cq\u201D\r\n"}) {
    EXPECT_EQ(Clean(Clean(prompt)), Clean(prompt));
  }
}

TEST(PromptCleaner, NamesTheInvalidByte) {
  const auto status = CleanPrompt("abc\xC3(").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not valid UTF-8 at byte 3"));
  EXPECT_FALSE(CleanPrompt("\xED\xA0\x80").ok());      // a surrogate
  EXPECT_FALSE(CleanPrompt("\xC0\xAF").ok());          // an overlong form
  EXPECT_FALSE(CleanPrompt("\xF4\x90\x80\x80").ok());  // above U+10FFFF
  EXPECT_THAT(
      std::string(CleanPrompt(std::string(kCleanInputBytesMax + 1, 'a')).status().message()),
      HasSubstr("bytes, more than"));
}

TEST(HtmlUnescape, FollowsTheStandard) {
  const auto all = [](std::string_view text) { return UnescapeHtml(text, HtmlReferences::kAll); };
  EXPECT_EQ(all("&notin;&notit;&not"), "\u2209\u00ACit;\u00AC");  // longest known name
  EXPECT_EQ(all("&#65;&#x42;&#X43&#68x"), "ABCDx");
  EXPECT_EQ(all("&#0;&#xD800;&#x110000;&#99999999999;"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(all("&#x80;&#x0D;&#1;&#xFFFE;"), "\u20AC\r");
  EXPECT_EQ(all("&#;&#x;&;& &bogus; &"), "&#;&#x;&;& &bogus; &");
  EXPECT_EQ(all("&NotEqualTilde;"), "\u2242\u0338");
  EXPECT_EQ(all("&CounterClockwiseContourIntegral;"), "\u2233");  // the longest name there is
  EXPECT_EQ(all("&amp&amp"), "&&");
  EXPECT_EQ(all("&apos &apos;"), "&apos '");  // known with its semicolon only
}

TEST(HtmlUnescape, ClosedTakesWholeReferencesOnly) {
  const auto closed = [](std::string_view text) {
    return UnescapeHtml(text, HtmlReferences::kClosed);
  };
  EXPECT_EQ(closed("&amp;&amp &notit; &#65; &#65 &#59;"), "&&amp &notit; A &#65 &#59;");
  EXPECT_EQ(closed("&#12a;"), "&#12a;");
}

TEST(HtmlEntities, TableIsWhole) {
  EXPECT_EQ(FindHtmlEntity("AElig")->text, "\u00C6");
  EXPECT_EQ(FindHtmlEntity("zwnj")->text, "\u200C");
  EXPECT_TRUE(FindHtmlEntity("amp")->bare);
  EXPECT_FALSE(FindHtmlEntity("apos")->bare);
  EXPECT_EQ(FindHtmlEntity("Amp"), nullptr);
  EXPECT_EQ(FindHtmlEntity(""), nullptr);
}

}  // namespace
}  // namespace longtake
