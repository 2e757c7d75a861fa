// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A decoder's caches, made again from the latest latents alone: after as many as its layers say
// they are those of the whole stream, after one fewer they are not.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "base/philox.h"
#include "base/worker_pool.h"
#include "engine/model/vae/tiled.h"
#include "engine/model/vae/tiny_decoder.h"
#include "tests/golden/tiny_vae.h"

namespace longtake {
namespace {

constexpr char kConfig[] = R"({"base_dim": 4, "dim_mult": [1, 2, 4, 8], "z_dim": 3,
    "latents_mean": [0.5, -0.25, 0], "latents_std": [2, 1.5, 1]})";

// One way to decode, a latent at a time.
struct Decoding {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t warm_up = 0;
  std::function<absl::Status(const VaeLatents&, std::vector<VaeCache>&, std::vector<float>*)>
      decode;
  std::function<std::vector<VaeCache>(int64_t)> in_mid_stream;  // after so many latents
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool SameBits(const VaeFrame& a, const VaeFrame& b) {
  return a.size() == b.size() &&
         std::memcmp(a.As<float>().address(), b.As<float>().address(), a.size()) == 0;
}

bool SameBits(const VaeCache& a, const VaeCache& b) {
  if (a.calls != b.calls || a.height != b.height || a.width != b.width) return false;
  if (a.entries.size() != b.entries.size()) return false;
  for (size_t i = 0; i < a.entries.size(); ++i) {
    const std::vector<VaeFrame>& frames = a.entries[i].frames;
    const std::vector<VaeFrame>& others = b.entries[i].frames;
    if (frames.size() != others.size()) return false;
    for (size_t k = 0; k < frames.size(); ++k) {
      if (!SameBits(frames[k], others[k])) return false;
    }
  }
  return true;
}

bool SameBits(const std::vector<VaeCache>& a, const std::vector<VaeCache>& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i) same = SameBits(a[i], b[i]);
  return same;
}

std::vector<VaeCache> One(VaeCache cache) {
  std::vector<VaeCache> caches;
  caches.push_back(std::move(cache));
  return caches;
}

// Goes on with the latents from first to end; gives the pixels of the last one.
std::vector<float> GoOn(const Decoding& how, int64_t first, int64_t end,
                        std::vector<VaeCache>& caches) {
  std::vector<float> pixels;
  for (int64_t latent = first; latent < end; ++latent) {
    std::vector<float> values(static_cast<size_t>(how.channels * how.height * how.width));
    PhiloxNormal(3, static_cast<uint64_t>(latent), 0, values);
    MustBeOk(how.decode({values, 1, how.height, how.width}, caches, &pixels));
  }
  return pixels;
}

void ExpectWarmUp(const Decoding& how) {
  // Soon after the start, whose first latent is unlike the others, and later.
  for (const int64_t at : {how.warm_up + 1, how.warm_up + 4}) {
    std::vector<VaeCache> whole;
    GoOn(how, 0, at, whole);
    std::vector<VaeCache> warm = how.in_mid_stream(at - how.warm_up);
    GoOn(how, at - how.warm_up, at, warm);
    EXPECT_TRUE(SameBits(warm, whole)) << at;
    std::vector<VaeCache> fewer = how.in_mid_stream(at - how.warm_up + 1);
    GoOn(how, at - how.warm_up + 1, at, fewer);
    EXPECT_FALSE(SameBits(fewer, whole)) << at;
    EXPECT_TRUE(SameBits(GoOn(how, at, at + 1, warm), GoOn(how, at, at + 1, whole))) << at;
  }
}

class WarmUpTest : public testing::Test {
 protected:
  WorkerPool workers_{2};
  std::unique_ptr<Backend> backend_ = Must(CreateCpuBackend(workers_, {}));
};

TEST_F(WarmUpTest, PublishedDecoders) {
  const VaeConfig config = Must(ParseVaeConfig("{}", "vae/config.json"));
  EXPECT_EQ(WarmUpLatents(VaeDecoderLayers(config)), 38);
  EXPECT_EQ(WarmUpLatents(TinyDecoderLayers()), 8);
}

TEST_F(WarmUpTest, FollowsFromTheLayers) {
  using enum VaeLayerKind;
  const auto warm_up = [](const std::vector<VaeLayerKind>& kinds) {
    std::vector<VaeLayer> layers(kinds.size());
    for (size_t i = 0; i < kinds.size(); ++i) layers[i].kind = kinds[i];
    return WarmUpLatents(layers);
  };
  EXPECT_EQ(warm_up({}), 0);
  EXPECT_EQ(warm_up({kPointwise, kUp2d}), 0);
  EXPECT_EQ(warm_up({kConv}), 2);
  EXPECT_EQ(warm_up({kUp3d, kConv}), 3) << "two frames of one latent, and two latents before it";
  EXPECT_EQ(warm_up({kUp3d, kRes, kConv}), 5);
  EXPECT_EQ(warm_up({kMemory, kMemory}), 2);
}

TEST_F(WarmUpTest, TheVae) {
  const TinyVae vae({.config_json = kConfig, .seed = 5}, *backend_);
  ExpectWarmUp({.channels = 3,
                .height = 2,
                .width = 3,
                .warm_up = WarmUpLatents(vae.decoder->layers()),
                .decode =
                    [&](const VaeLatents& latents, std::vector<VaeCache>& caches,
                        std::vector<float>* pixels) {
                      caches.resize(1);
                      return vae.decoder->DecodeToFloat(latents, caches[0], pixels);
                    },
                .in_mid_stream =
                    [&](int64_t latents) {
                      return One(VaeCacheInMidStream(vae.decoder->layers(), latents, 2, 3));
                    }});
}

TEST_F(WarmUpTest, TilesOfTheVae) {
  const TinyVae vae({.config_json = kConfig, .seed = 5}, *backend_);
  const VaeTiling tiling = {.tile = 2, .stride = 1};
  ExpectWarmUp({.channels = 3,
                .height = 2,
                .width = 3,
                .warm_up = WarmUpLatents(vae.decoder->layers()),
                .decode =
                    [&](const VaeLatents& latents, std::vector<VaeCache>& caches,
                        std::vector<float>* pixels) {
                      return DecodeTiledToFloat(*vae.decoder, tiling, latents, caches, pixels);
                    },
                .in_mid_stream =
                    [&](int64_t latents) {
                      return TiledCachesInMidStream(vae.decoder->layers(), tiling, latents, 2, 3);
                    }});
}

TEST_F(WarmUpTest, TheTinyDecoder) {
  const ScratchDirectory directory("tiny");
  const auto pack = MakePack(
      directory.path(), {.layout = TinyDecoderLayout(), .config_json = "{}", .rule = {.seed = 7}},
      DType::kF32);
  const auto decoder = Must(TinyDecoder::Create(Must(pack->LoadResident()), *backend_));
  ExpectWarmUp({.channels = kTinyDecoderChannels,
                .height = 2,
                .width = 3,
                .warm_up = WarmUpLatents(decoder->layers()),
                .decode =
                    [&](const VaeLatents& latents, std::vector<VaeCache>& caches,
                        std::vector<float>* pixels) {
                      caches.resize(1);
                      return decoder->DecodeToFloat(latents, caches[0], pixels);
                    },
                .in_mid_stream =
                    [&](int64_t latents) {
                      return One(VaeCacheInMidStream(decoder->layers(), latents, 2, 3));
                    }});
}

}  // namespace
}  // namespace longtake
