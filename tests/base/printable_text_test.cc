// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/printable_text.h"

#include <gtest/gtest.h>

#include <string>

namespace longtake {
namespace {

TEST(PrintableText, OrdinaryTextStaysAsItIs) {
  for (const char* text : {"", "a red circle", "\\u001b as typed", "größer ünïcode", "赤い円 🙂",
                           "e\u0301", "family \U0001F468\u200D\U0001F469", "عربي עברית"}) {
    EXPECT_EQ(PrintableText(text), text);
  }
}

TEST(PrintableText, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(PrintableText("\033]0;title\a"), "\\u001b]0;title\\u0007");
  EXPECT_EQ(PrintableText("a\nb\rc\td\x7f"), "a\\u000ab\\u000dc\\u0009d\\u007f");
  EXPECT_EQ(PrintableText(std::string("\0", 1)), "\\u0000");
  // C1 as characters: NEL, CSI.
  EXPECT_EQ(PrintableText("\u0085\u009b2J"), "\\u0085\\u009b2J");
  for (int code = 0; code < 0xA0; ++code) {
    const bool control = code < 0x20 || code >= 0x7f;
    const std::string text = code < 0x80 ? std::string(1, static_cast<char>(code))
                                         : std::string{'\xc2', static_cast<char>(code)};
    EXPECT_EQ(PrintableText(text).starts_with("\\u00"), control) << code;
  }
}

TEST(PrintableText, WhatTurnsOrEndsALineIsWrittenOut) {
  EXPECT_EQ(PrintableText("\u061c\u200e\u200f"), "\\u061c\\u200e\\u200f");
  EXPECT_EQ(PrintableText("\u202a\u202b\u202c\u202d\u202e"), "\\u202a\\u202b\\u202c\\u202d\\u202e");
  EXPECT_EQ(PrintableText("\u2066\u2067\u2068\u2069"), "\\u2066\\u2067\\u2068\\u2069");
  EXPECT_EQ(PrintableText("\u2028\u2029"), "\\u2028\\u2029");
}

TEST(PrintableText, BytesThatAreNotUtf8AreWrittenOut) {
  // A C1 control as a bare byte, a lone continuation, an overlong ESC, a surrogate, a cut end.
  EXPECT_EQ(PrintableText("\x9b"), "\\ufffd");
  EXPECT_EQ(PrintableText("a\x80z"), "a\\ufffdz");
  EXPECT_EQ(PrintableText("\xc0\x9b"), "\\ufffd\\ufffd");
  EXPECT_EQ(PrintableText("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");
  EXPECT_EQ(PrintableText("\xe8\xb5"), "\\ufffd\\ufffd");
  // What follows a broken character is looked at by itself.
  EXPECT_EQ(PrintableText("\xe8\033[2J"), "\\ufffd\\u001b[2J");
}

TEST(PrintableLine, CutsToColumns) {
  EXPECT_EQ(PrintableLine("abcdef", 6), "abcdef");
  EXPECT_EQ(PrintableLine("abcdef", 5), "abcd…");
  EXPECT_EQ(PrintableLine("abcdef", 1), "…");
  EXPECT_EQ(PrintableLine("abcdef", 0), "");
  EXPECT_EQ(PrintableLine("", 3), "");
}

TEST(PrintableLine, CountsAsATerminalDoes) {
  EXPECT_EQ(PrintableLine("赤い円", 6), "赤い円");
  EXPECT_EQ(PrintableLine("赤い円", 5), "赤い…");
  EXPECT_EQ(PrintableLine("赤い円", 4), "赤…");
  EXPECT_EQ(PrintableLine("e\u0301e\u0301e\u0301", 3), "e\u0301e\u0301e\u0301");
  EXPECT_EQ(PrintableLine("e\u0301e\u0301e\u0301", 2), "e\u0301…");
}

TEST(PrintableLine, NeverCutsWithinAnEscape) {
  EXPECT_EQ(PrintableLine("a\nb", 8), "a\\u000ab");
  EXPECT_EQ(PrintableLine("a\nb", 7), "a…");
  EXPECT_EQ(PrintableLine("\n\n", 4), "…");
}

}  // namespace
}  // namespace longtake
