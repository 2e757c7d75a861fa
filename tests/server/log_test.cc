// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace longtake {
namespace {

TEST(Log, TextQuotesWhatIsNotOneWord) {
  EXPECT_EQ(
      FormatLogText("stream opened", {{"session", "abc"}, {"chunk", int64_t{3}}, {"why", "a b"}}),
      "stream opened session=abc chunk=3 why=\"a b\"");
  EXPECT_EQ(FormatLogText("x", {{"key", "a\nb"}}), "x key=\"a\\nb\"");
}

TEST(Log, JsonIsJsonWhateverTheBytes) {
  std::string line(1, '{');
  line += FormatLogJson("an \"event\"", {{"text", "\xff\n\""}, {"yes", true}});
  line += '}';
  const nlohmann::json parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["event"], "an \"event\"");
  EXPECT_EQ(parsed["yes"], true);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Log, NothingReachesTheTerminalButText) {
  // Escape, the one-byte CSI of ISO 6429 in UTF-8, right-to-left override, isolate, DEL, broken.
  const std::string hostile =
      "\x1b]0;t\x07\xc2\x9b"
      "2J\xe2\x80\xae\xe2\x81\xa6\x7f\xff";
  const std::string safe = R"("\u001b]0;t\u0007\u009b2J\u202e\u2066\u007f)"
                           "\xef\xbf\xbd\"";
  EXPECT_EQ(FormatLogText("x", {{"key", hostile}}), "x key=" + safe);
  EXPECT_EQ(FormatLogJson("x", {{"key", hostile}}), R"("event":"x","key":)" + safe);
  EXPECT_EQ(FormatLogText("x", {{"key", "\xe2\x80\xae"}}), R"(x key="\u202e")");
  EXPECT_EQ(FormatLogText("x", {{"key", "\xe8\xb5\xa4"}}), "x key=\xe8\xb5\xa4");
}

TEST(Log, TextOfAnyLengthIsCut) {
  const std::string longest(kLogTextBytesMax, 'a');
  EXPECT_EQ(FormatLogText("x", {{"key", longest}}), "x key=" + longest);
  EXPECT_EQ(FormatLogText("x", {{"key", longest + "b"}}), "x key=" + longest + "...");
  EXPECT_EQ(FormatLogJson("x", {{"key", longest + "b"}}),
            "\"event\":\"x\",\"key\":\"" + longest + "...\"");
}

}  // namespace
}  // namespace longtake
