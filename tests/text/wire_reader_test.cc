// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/wire_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/text/spiece_builder.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view bytes) {
  WireReader reader(bytes, "thing");
  while (true) {
    const auto field = reader.Next();
    if (!field.ok()) return std::string(field.status().message());
    if (!field->has_value()) return "";
  }
}

TEST(WireReader, ReadsEveryType) {
  const std::string bytes = WireInt(1, 300) + WireFloat(2, -1.5f) + WireBytes(3, "abc") +
                            WireInt(4, ~uint64_t{0}) +
                            "\x29"
                            "12345678";
  WireReader reader(bytes, "thing");
  EXPECT_EQ((*reader.Next())->bits, 300u);
  EXPECT_EQ((*reader.Next())->AsFloat(), -1.5f);
  EXPECT_EQ((*reader.Next())->bytes, "abc");
  EXPECT_EQ((*reader.Next())->AsInt32(), -1);
  EXPECT_EQ((*reader.Next())->bits, 0x3837363534333231u);
  EXPECT_FALSE(reader.Next()->has_value());
}

TEST(WireReader, RefusesWhatIsBroken) {
  EXPECT_THAT(ErrorOf("\x08"), HasSubstr("thing: truncated varint at byte 1 of 1"));
  EXPECT_THAT(ErrorOf("\x0D"
                      "123"),
              HasSubstr("truncated fixed-size field"));
  EXPECT_THAT(ErrorOf("\x0A\x05"
                      "abc"),
              HasSubstr("field 1 claims 5 bytes"));
  EXPECT_THAT(ErrorOf("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), HasSubstr("claims"));
  EXPECT_THAT(ErrorOf(std::string(11, '\xFF')), HasSubstr("exceeds 64 bits"));
  EXPECT_THAT(ErrorOf(std::string("\x02\x00", 2)), HasSubstr("impossible field number"));
  EXPECT_THAT(ErrorOf("\x0B"), HasSubstr("unsupported wire type 3"));
}

TEST(WireReader, EveryTruncationIsAnErrorOrAFieldLess) {
  const std::string bytes = WireInt(1, 300) + WireFloat(2, 1) + WireBytes(3, "abcdef");
  for (size_t length = 0; length < bytes.size(); ++length) {
    const bool at_boundary = length == 0 || length == 3 || length == 8;
    EXPECT_EQ(ErrorOf(std::string_view(bytes).substr(0, length)).empty(), at_boundary) << length;
  }
}

TEST(WireReader, ExpectNamesTheField) {
  WireReader reader("\x08\x01", "thing");
  const auto field = reader.Next();
  ASSERT_TRUE(field.ok());
  EXPECT_TRUE(reader.Expect(**field, WireType::kVarint).ok());
  EXPECT_THAT(std::string(reader.Expect(**field, WireType::kBytes).message()),
              HasSubstr("thing: field 1 has wire type 0, not 2"));
}

}  // namespace
}  // namespace longtake
