// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What must hold of any VAE: frames do not depend on calls, threads, instruction set or on where
// the cache lives; hostile configs and sizes are refused by name.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/philox.h"
#include "base/worker_pool.h"
#include "tests/golden/tiny_vae.h"

namespace longtake {
namespace {

constexpr int64_t kHeight = 2;
constexpr int64_t kWidth = 3;
constexpr int64_t kArea = kHeight * kWidth;
constexpr int64_t kLatents = 7;

const char kConfig[] = R"({"base_dim": 4, "dim_mult": [1, 2, 4, 8], "z_dim": 3,
    "latents_mean": [0.5, -0.25, 0], "latents_std": [2, 1.5, 1]})";

std::vector<float> Normal(uint64_t stream, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  PhiloxNormal(3, stream, 0, out);
  return out;
}

struct TestBed {
  explicit TestBed(int threads = 2, const std::string& instruction_set = "")
      : workers(threads),
        backend(Must(CreateCpuBackend(workers, {.instruction_set_max = instruction_set}))),
        vae({.config_json = kConfig, .seed = 5}, *backend) {}

  // The latents in calls of the given lengths; the cache moves to another object in between.
  std::vector<float> Decode(const std::vector<int64_t>& calls) {
    const std::vector<float> z = Normal(1, 3 * kLatents * kArea);
    VaeCache cache;
    std::vector<float> pixels;
    int64_t first = 0;
    for (const int64_t count : calls) {
      VaeCache moved = std::move(cache);
      const std::vector<float> part = LatentFrames(z, 3, first, count, kArea);
      std::vector<float> out;
      MustBeOk(vae.decoder->DecodeToFloat({part, count, kHeight, kWidth}, moved, &out));
      pixels.insert(pixels.end(), out.begin(), out.end());
      first += count;
      cache = std::move(moved);
    }
    return pixels;
  }

  WorkerPool workers;
  std::unique_ptr<Backend> backend;
  TinyVae vae;
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(WanVaeDecoder, FramesDoNotDependOnCalls) {
  TestBed bed;
  const std::vector<float> whole = bed.Decode({kLatents});
  ASSERT_EQ(whole.size(), static_cast<size_t>((1 + 4 * (kLatents - 1)) * 64 * kArea * 3));
  EXPECT_TRUE(SameBits(whole, bed.Decode({1, 1, 1, 1, 1, 1, 1})));
  EXPECT_TRUE(SameBits(whole, bed.Decode({3, 3, 1})));
}

TEST(WanVaeDecoder, FramesDoNotDependOnThreadsOrInstructionSet) {
  const std::vector<float> frames = TestBed(1).Decode({3, 4});
  EXPECT_TRUE(SameBits(frames, TestBed(3).Decode({3, 4})));
  EXPECT_TRUE(SameBits(frames, TestBed(2, "x86-64-v3").Decode({3, 4})));
}

TEST(WanVaeDecoder, StreamsAndSizesMayAlternate) {
  TestBed bed;
  const std::vector<float> expected = bed.Decode({1, 1, 1});
  const std::vector<float> z = Normal(1, 3 * kLatents * kArea);
  const std::vector<float> other = Normal(2, 3 * 4);
  VaeCache cache;
  VaeCache other_cache;
  std::vector<float> pixels;
  for (int64_t i = 0; i < 3; ++i) {
    std::vector<float> out;
    const std::vector<float> latent = LatentFrames(z, 3, i, 1, kArea);
    MustBeOk(bed.vae.decoder->DecodeToFloat({latent, 1, kHeight, kWidth}, cache, &out));
    pixels.insert(pixels.end(), out.begin(), out.end());
    MustBeOk(bed.vae.decoder->DecodeToFloat({other, 1, 2, 2}, other_cache, &out));
  }
  EXPECT_TRUE(SameBits(pixels, expected));
}

TEST(WanVaeDecoder, AFullCacheHasTheBytesPromised) {
  TestBed bed;
  const std::vector<float> z = Normal(1, 3 * kLatents * kArea);
  VaeCache cache;
  std::vector<uint8_t> rgb;
  for (int calls = 0; calls < 2; ++calls) {
    MustBeOk(bed.vae.decoder->Decode({z, kLatents, kHeight, kWidth}, cache, &rgb));
    EXPECT_EQ(cache.bytes(), VaeCacheBytes(bed.vae.config, kHeight, kWidth));
    EXPECT_EQ(bed.vae.decoder->scratch_bytes(), VaeScratchBytes(bed.vae.config, kHeight, kWidth));
  }
  EXPECT_EQ(VaeCacheBytes(bed.vae.config, int64_t{1} << 40, int64_t{1} << 40), UINT64_MAX);
}

TEST(WanVaeDecoder, BytesAreThePixelsRounded) {
  TestBed bed;
  const std::vector<float> z = Normal(1, 3 * kArea);
  VaeCache a;
  VaeCache b;
  std::vector<uint8_t> rgb;
  std::vector<float> pixels;
  MustBeOk(bed.vae.decoder->Decode({z, 1, kHeight, kWidth}, a, &rgb));
  MustBeOk(bed.vae.decoder->DecodeToFloat({z, 1, kHeight, kWidth}, b, &pixels));
  ASSERT_EQ(rgb.size(), pixels.size());
  for (size_t i = 0; i < rgb.size(); ++i) {
    const double exact = (std::min(1.0, std::max(-1.0, double{pixels[i]})) + 1.0) * 127.5;
    ASSERT_NEAR(rgb[i], exact, 0.5001);
  }
}

TEST(WanVaeDecoder, ACallEndsBetweenTwoBlocksWhenNobodyWaits) {
  TestBed bed;
  const std::vector<float> expected = bed.Decode({2});
  const std::vector<float> z = Normal(1, 3 * kLatents * kArea);
  const std::vector<float> part = LatentFrames(z, 3, 0, 2, kArea);
  int asked = 0;
  for (int stop = 0; stop < 1000; ++stop) {
    VaeCache cache;
    std::vector<float> pixels;
    asked = 0;
    const absl::Status status = bed.vae.decoder->DecodeToFloat(
        {part, 2, kHeight, kWidth, [&] { return asked++ < stop; }}, cache, &pixels);
    if (status.ok()) break;
    EXPECT_TRUE(absl::IsCancelled(status)) << status;
    EXPECT_EQ(asked, stop + 1) << "not asked again";
  }
  EXPECT_GT(asked, 20) << "a latent is many blocks";
  EXPECT_LE(bed.vae.decoder->scratch_bytes(), VaeScratchBytes(bed.vae.config, kHeight, kWidth));
  EXPECT_TRUE(SameBits(bed.Decode({2}), expected)) << "others go on as if nothing had been";
}

TEST(WanVaeDecoder, WrongSizesAreRefusedAndTheCacheStays) {
  TestBed bed;
  const std::vector<float> z = Normal(1, 3 * kArea);
  std::vector<uint8_t> rgb;
  VaeCache cache;
  const auto decode = [&](VaeLatents latents) {
    return bed.vae.decoder->Decode(latents, cache, &rgb).code();
  };
  EXPECT_EQ(decode({z, 2, kHeight, kWidth}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decode({z, -1, kHeight, kWidth}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decode({z, 1, 0, kWidth}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decode({z, 1, INT64_MAX, INT64_MAX}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cache.calls, 0);
  EXPECT_EQ(decode({z, 1, kHeight, kWidth}), absl::StatusCode::kOk);
  EXPECT_EQ(decode({z, 1, kWidth, kHeight}), absl::StatusCode::kInvalidArgument) << "same area";
  EXPECT_EQ(cache.calls, 1);
  cache.entries.back().frames.front() = Must(bed.backend->device().Allocate(4, nullptr));
  EXPECT_EQ(decode({z, 1, kHeight, kWidth}), absl::StatusCode::kInvalidArgument) << "damaged";
  cache.entries.pop_back();
  EXPECT_EQ(decode({z, 1, kHeight, kWidth}), absl::StatusCode::kInvalidArgument) << "entry missing";
}

std::vector<float> Encode(TestBed& bed, const std::vector<int64_t>& calls) {
  constexpr int64_t kFrameFloats = 64 * kArea * 3;
  const std::vector<float> pixels = Normal(4, 13 * kFrameFloats);
  VaeCache cache;
  std::vector<float> latents;  // frame by frame
  int64_t first = 0;
  for (const int64_t count : calls) {
    std::vector<float> out;
    const std::span<const float> part =
        std::span(pixels).subspan(first * kFrameFloats, count * kFrameFloats);
    MustBeOk(bed.vae.encoder->Encode({part, count, 8 * kHeight, 8 * kWidth}, cache, &out));
    const auto frames = static_cast<int64_t>(out.size()) / 3 / kArea;
    for (int64_t i = 0; i < frames; ++i) {
      const std::vector<float> frame = LatentFrames(out, 3, i, 1, kArea);
      latents.insert(latents.end(), frame.begin(), frame.end());
    }
    first += count;
  }
  return latents;
}

TEST(WanVaeEncoder, LatentsDoNotDependOnCalls) {
  TestBed bed;
  const std::vector<float> whole = Encode(bed, {13});
  ASSERT_EQ(whole.size(), static_cast<size_t>(4 * 3 * kArea));
  EXPECT_TRUE(SameBits(whole, Encode(bed, {1, 4, 4, 4})));
  EXPECT_TRUE(SameBits(whole, Encode(bed, {5, 8})));
}

TEST(WanVaeEncoder, MemoryIsWhatWasPromised) {
  TestBed bed;
  const std::vector<float> pixels = Normal(4, 9 * 64 * kArea * 3);
  VaeCache cache;
  std::vector<float> out;
  MustBeOk(bed.vae.encoder->Encode({pixels, 9, 8 * kHeight, 8 * kWidth}, cache, &out));
  EXPECT_EQ(cache.bytes(), VaeEncoderCacheBytes(bed.vae.config, kHeight, kWidth));
  EXPECT_LE(bed.vae.encoder->scratch_bytes(),
            VaeEncoderScratchBytes(bed.vae.config, kHeight, kWidth));
  EXPECT_GE(bed.vae.encoder->scratch_bytes(),
            VaeEncoderScratchBytes(bed.vae.config, kHeight, kWidth) * 3 / 4);
}

TEST(WanVaeEncoder, WrongSizesAreRefused) {
  TestBed bed;
  const std::vector<float> pixels(4 * 16 * 24 * 3);
  VaeCache cache;
  std::vector<float> out;
  const auto encode = [&](VaePixels given) {
    return bed.vae.encoder->Encode(given, cache, &out).code();
  };
  EXPECT_EQ(encode({pixels, 4, 16, 24}), absl::StatusCode::kInvalidArgument) << "4 frames first";
  EXPECT_EQ(encode({pixels, 1, 16, 24}), absl::StatusCode::kInvalidArgument) << "too many values";
  EXPECT_EQ(encode({pixels, 1, 12, 24}), absl::StatusCode::kInvalidArgument) << "not of 8";
  EXPECT_EQ(cache.calls, 0);
}

TEST(VaeConfig, PublishedDefaults) {
  const VaeConfig config = Must(ParseVaeConfig("{}", "vae/config.json"));
  EXPECT_EQ(config.base_dim, 96);
  EXPECT_EQ(config.latents_mean.size(), 16u);
  uint64_t parameters = 0;
  size_t tensors = 0;
  for (const TensorSpec& spec : WanVaeLayout(config).resident) {
    parameters += Must(ElementCount(spec.shape, spec.name));
    ++tensors;
  }
  EXPECT_EQ(parameters, 126'892'531u);  // docs/spec 6
  EXPECT_EQ(tensors, 194u);
  EXPECT_EQ(VaeCacheEntries(VaeDecoderLayers(config), 60, 104).size(), 32u);
  EXPECT_EQ(VaeCacheEntries(VaeEncoderLayers(config), 60, 104).size(), 24u);
  EXPECT_NEAR(static_cast<double>(VaeCacheBytes(config, 60, 104)), 2 * 1.889e9, 2e6);
}

TEST(VaeConfig, HostileFieldsAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"base_dim": 1})", "base_dim"},
      {R"({"base_dim": 1e3})", "base_dim"},
      {R"({"base_dim": 18446744073709551615})", "base_dim"},
      {R"({"dim_mult": [1, 2, 4]})", "dim_mult"},
      {R"({"dim_mult": [1, 2, 4, -4]})", "dim_mult"},
      {R"({"base_dim": 1024, "dim_mult": [1, 2, 4, 64]})", "dim_mult"},
      {R"({"z_dim": 0})", "z_dim"},
      {R"({"z_dim": 4})", "latents_mean"},
      {R"({"num_res_blocks": 1000000})", "num_res_blocks"},
      {R"({"is_residual": true})", "is_residual"},
      {R"({"patch_size": 2})", "patch_size"},
      {R"({"attn_scales": [1.0]})", "attn_scales"},
      {R"({"temperal_downsample": [true, true, false]})", "temperal_downsample"},
      {R"({"decoder_base_dim": 256})", "decoder_base_dim"},
      {R"({"z_dim": 1, "latents_mean": [0], "latents_std": [0]})", "latents_std"},
      {R"({"z_dim": 1, "latents_mean": ["x"], "latents_std": [1]})", "latents_mean"},
      {R"([])", "object"},
  };
  for (const auto& [text, name] : cases) {
    const auto config = ParseVaeConfig(text, "vae/config.json");
    ASSERT_FALSE(config.ok()) << text;
    const std::string message(config.status().message());
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find("vae/config.json"), std::string::npos) << message;
  }
}

TEST(WanVaeDecoder, AMissingTensorIsNamed) {
  WorkerPool workers(1);
  const auto backend = Must(CreateCpuBackend(workers));
  const VaeConfig config = Must(ParseVaeConfig(kConfig, "config.json"));
  ComponentLayout layout = WanVaeLayout(config);
  std::erase_if(layout.resident, [](const TensorSpec& spec) {
    return spec.name == "decoder.mid_block.resnets.1.conv2.bias";
  });
  ScratchDirectory directory("vae-missing");
  const auto pack = MakePack(directory.path(),
                             {.layout = layout, .config_json = kConfig, .rule = {}}, DType::kF32);
  const auto decoder = WanVaeDecoder::Create(config, Must(pack->LoadResident()), *backend);
  ASSERT_FALSE(decoder.ok());
  EXPECT_NE(std::string(decoder.status().message()).find("resnets.1.conv2.bias"),
            std::string::npos);
}

}  // namespace
}  // namespace longtake
