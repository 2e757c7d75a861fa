// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tiny decoder against its float64 reference: fixture F12.
#include <gtest/gtest.h>

#include <cmath>

#include "base/checked.h"
#include "engine/model/vae/tiny_decoder.h"
#include "tests/golden/golden_backend.h"
#include "tests/golden/golden_table.h"
#include "tests/golden/tiny_vae.h"

namespace longtake {
namespace {

constexpr double kLimit = 1e-5;
constexpr int64_t kHeight = 6;
constexpr int64_t kWidth = 8;
constexpr int64_t kLatents = 4;

class TinyDecoderGolden : public testing::TestWithParam<std::string> {
 protected:
  TinyDecoderGolden() : fixture_("f12"), backend_(GetParam()), directory_("tiny") {
    const auto pack = MakePack(directory_.path(),
                               {.layout = TinyDecoderLayout(),
                                .config_json = "{}",
                                .rule = {.seed = fixture_.Seed("weight_seed")}},
                               DType::kF32);
    decoder_ = Must(TinyDecoder::Create(Must(pack->LoadResident()), backend_.get()));
  }

  std::vector<float> Decode(const std::vector<int64_t>& calls, VaeCache* cache) {
    const std::vector<float> z = fixture_.Floats("z");
    std::vector<float> pixels;
    int64_t first = 0;
    for (const int64_t count : calls) {
      const std::vector<float> part =
          LatentFrames(z, kTinyDecoderChannels, first, count, kHeight * kWidth);
      std::vector<float> out;
      MustBeOk(decoder_->DecodeToFloat({part, count, kHeight, kWidth}, *cache, &out));
      pixels.insert(pixels.end(), out.begin(), out.end());
      first += count;
    }
    return pixels;
  }

  Fixture fixture_;
  GoldenBackend backend_;
  ScratchDirectory directory_;
  std::unique_ptr<TinyDecoder> decoder_;
};

TEST_P(TinyDecoderGolden, FramesAreTheReferences) {
  VaeCache cache;
  const std::vector<float> pixels = Decode({1, 1, 1, 1}, &cache);
  // [frames, channels, h, w] to channels last.
  const std::vector<float> stored = fixture_.Floats("frames");
  constexpr int64_t kArea = 64 * kHeight * kWidth;
  ASSERT_EQ(pixels.size(), stored.size());
  std::vector<float> expected;
  for (int64_t frame = 0; frame < 13; ++frame) {
    for (int64_t i = 0; i < kArea; ++i) {
      for (int64_t c = 0; c < 3; ++c) expected.push_back(stored[(frame * 3 + c) * kArea + i]);
    }
  }
  ExpectClose("f12 frames", pixels, expected, kLimit);
  EXPECT_EQ(cache.bytes(), TinyDecoderCacheBytes(kHeight, kWidth));
  EXPECT_LE(decoder_->scratch_bytes(), TinyDecoderScratchBytes(kHeight, kWidth));
  EXPECT_GE(decoder_->scratch_bytes(), TinyDecoderScratchBytes(kHeight, kWidth) / 2);
}

// One remembered frame a block is the whole state.
TEST_P(TinyDecoderGolden, FramesDoNotDependOnCalls) {
  VaeCache one;
  VaeCache many;
  EXPECT_EQ(Decode({kLatents}, &one), Decode({2, 1, 1}, &many));
  std::vector<uint8_t> rgb;
  VaeCache wrong;
  const std::vector<float> values(10);
  EXPECT_EQ(decoder_->Decode({values, 1, 1, 1}, wrong, &rgb).code(),
            absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Backends, TinyDecoderGolden, testing::Values("x86-64-v3", "", "late"),
                         [](const auto& param) {
                           if (param.param == "late") return std::string("late");
                           return param.param.empty() ? std::string("best") : std::string("v3");
                         });

TEST(TinyDecoder, HasThePublishedParameters) {
  uint64_t parameters = 0;
  for (const TensorSpec& spec : TinyDecoderLayout().resident) {
    parameters += Must(ElementCount(spec.shape, spec.name));
  }
  EXPECT_EQ(parameters, 9'844'611u);  // docs/spec 6.6
}

}  // namespace
}  // namespace longtake
