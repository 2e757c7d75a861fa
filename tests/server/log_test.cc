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

}  // namespace
}  // namespace longtake
