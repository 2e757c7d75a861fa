// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/media_formats.h"

#include <gtest/gtest.h>

#include "base/error_reason.h"

namespace longtake {
namespace {

ResolvedSpec SpecOf(int64_t width, int64_t height, int64_t fps) {
  ResolvedSpec spec;
  spec.width = width;
  spec.height = height;
  spec.fps = fps;
  return spec;
}

TEST(MediaFormats, MakesEachOnceAndAsTheEncoderDoes) {
  MediaFormats formats;
  const auto first = formats.Get(SpecOf(48, 32, 16));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*formats.Get(SpecOf(48, 32, 16)), *first);
  EXPECT_EQ((*first)->init_segment,
            *(*Fmp4Encoder::Create({.width = 48, .height = 32, .fps = 16}))->InitSegment());
  for (const ResolvedSpec& other : {SpecOf(32, 48, 16), SpecOf(48, 32, 17), SpecOf(48, 48, 16)}) {
    const auto format = formats.Get(other);
    ASSERT_TRUE(format.ok()) << format.status();
    EXPECT_NE((*format)->init_segment, (*first)->init_segment);
  }
}

TEST(MediaFormats, KeepsTheLatestUsed) {
  MediaFormats formats;
  const auto used = *formats.Get(SpecOf(16, 16, 1));
  const auto unused = *formats.Get(SpecOf(16, 16, 2));
  for (size_t i = 2; i < MediaFormats::kKeptMax; ++i) {
    ASSERT_TRUE(formats.Get(SpecOf(16, 16, static_cast<int64_t>(i) + 1)).ok());
  }
  EXPECT_EQ(*formats.Get(SpecOf(16, 16, 1)), used);
  ASSERT_TRUE(formats.Get(SpecOf(16, 16, 200)).ok());
  EXPECT_EQ(*formats.Get(SpecOf(16, 16, 1)), used);
  EXPECT_NE(*formats.Get(SpecOf(16, 16, 2)), unused) << "it was the longest unused";
}

TEST(MediaFormats, WhatTheEncoderRefusesIsOurOwnMistake) {
  MediaFormats formats;
  const absl::Status status = formats.Get(SpecOf(4112, 16, 16)).status();
  EXPECT_EQ(ReasonFor(status), Reason::kInternal) << status;
}

}  // namespace
}  // namespace longtake
