// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A pack with a tiny decoder beside its VAE: chosen by session or recipe, refused where there is
// none.
#include "engine/model/vae/tiny_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/philox.h"
#include "engine/backend/backend.h"
#include "engine/model/vae/cache_image.h"
#include "engine/model/vae/layers.h"
#include "pack/synthesise.h"
#include "pack/synthetic_weights.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

namespace fs = std::filesystem;

// The embedded model with a tiny decoder that knows nothing: packed like a real one.
const std::string& PackWithTinyDecoder() {
  static const auto& pack = *[] {
    std::string name = (fs::temp_directory_path() / "longtake-tiny-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    fs::copy(fs::path(std::getenv("LONGTAKE_SOURCE_DIR")) / "models/shapes-small", name,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    WorkerPool workers(1);
    const absl::Status written = WriteSyntheticComponent(
        PosixFileSystem(), name + "/tiny_decoder",
        {.layout = TinyDecoderLayout(), .config_json = "{}", .rule = {.seed = 3}}, workers);
    LT_CHECK(written.ok());
    auto* out = new ScratchPack(PackModelOptions{.recipe = {}, .progress = {}}, name);
    fs::remove_all(name);
    return out;
  }();
  return pack.directory();
}

SessionSpec Spec(std::optional<DecoderKind> decoder) {
  SessionSpec spec = SmallSpec("a red circle", 3, 21);
  spec.decoder = decoder;
  return spec;
}

std::vector<std::string> Digests(TestEngine& engine, const SessionSpec& spec) {
  const Received received = ReadToEnd(engine, **engine.CreateSession(spec, ""));
  EXPECT_TRUE(received.end.has_value() && received.end->ok());
  return received.Digests();
}

TEST(TinyDecoderTest, ASyntheticOneIsWhole) {
  const ScratchPack scratch;  // for its folder
  WorkerPool workers(2);
  const auto name =
      SynthesiseComponent(PosixFileSystem(), scratch.directory() + "/tiny",
                          {.shape = "taew2.1", .pack_only = true, .progress = {}}, workers);
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(*name, "tiny_decoder");
  const auto pack =
      PackReader::Open(PosixFileSystem(), scratch.directory() + "/tiny/tiny_decoder.pack");
  ASSERT_TRUE(pack.ok()) << pack.status();
  const auto resident = (*pack)->LoadResident();
  ASSERT_TRUE(resident.ok()) << resident.status();
  const auto backend = CreateCpuBackend(workers, {});
  ASSERT_TRUE(backend.ok()) << backend.status();
  EXPECT_TRUE(TinyDecoder::Create(*resident, **backend).ok());
}

TEST(TinyDecoderTest, ASessionChoosesWhoMakesItsPixels) {
  EngineSetup setup;
  setup.pack = PackWithTinyDecoder();
  TestEngine engine(setup);
  TestEngine plain;
  const std::vector<std::string> full = Digests(engine, Spec(std::nullopt));
  EXPECT_EQ(full, Digests(plain, Spec(std::nullopt))) << "unasked, nothing changes";
  EXPECT_EQ(full, Digests(engine, Spec(DecoderKind::kFull)));
  const std::vector<std::string> tiny = Digests(engine, Spec(DecoderKind::kTiny));
  EXPECT_EQ(tiny.size(), full.size());
  EXPECT_NE(tiny, full);
  setup.threads = 1;
  setup.model.instruction_set_max = "x86-64-v3";
  TestEngine other(setup);
  const auto company = *other.CreateSession(Spec(DecoderKind::kFull), "");
  EXPECT_EQ(Digests(other, Spec(DecoderKind::kTiny)), tiny);
  const auto estimate = engine.Estimate(Spec(DecoderKind::kTiny));
  EXPECT_NE(estimate->memory_bytes, engine.Estimate(Spec(DecoderKind::kFull))->memory_bytes);
}

// Sessions pay for the largest network to work in, so only the one that worked last keeps anything.
TEST(TinyDecoderTest, OneNetworkKeepsMemoryAtATime) {
  EngineSetup setup;
  setup.pack = PackWithTinyDecoder();
  TestEngine engine(setup);
  PixelCoder& coder = engine.model().pixel_coder();
  const LatentGrid grid = LatentGrid::FromPixels(48, 32);
  const Latents latent(kTinyDecoderChannels, grid);
  const auto decode = [&](const DecodeChoice& choice) {
    std::vector<VaeCache> caches;
    std::vector<uint8_t> rgb;
    EXPECT_TRUE(coder.Decode(latent, choice, {}, caches, &rgb).ok());
    return coder.scratch_bytes();
  };
  const auto encode = [&] {
    const std::vector<uint8_t> rgb(48 * 32 * 3);
    StartProgress progress;
    EXPECT_TRUE(
        coder.EncodeNext({.rgb = rgb, .frames = 1, .height = 32, .width = 48}, {}, progress).ok());
    return coder.scratch_bytes();
  };
  const auto alone = [&](const std::function<uint64_t()>& work) {
    coder.Release();
    EXPECT_EQ(coder.scratch_bytes(), 0u);
    return work();
  };
  const uint64_t full = alone([&] { return decode({}); });
  const uint64_t tiny = alone([&] { return decode({.tiny = true}); });
  const uint64_t encoder = alone(encode);
  EXPECT_GT(std::min({full, tiny, encoder}), 0u);
  EXPECT_EQ(decode({}), full);
  EXPECT_EQ(decode({.tiny = true}), tiny);
  EXPECT_EQ(encode(), encoder);
  EXPECT_EQ(decode({.tiny = true}), tiny);
  EXPECT_EQ(decode({}), full);
  EXPECT_EQ(encode(), encoder);
}

// Whoever kept only latents has the pixels of the stream again after a warm-up.
TEST(TinyDecoderTest, AStreamGoesOnFromItsLatestLatents) {
  EngineSetup setup;
  setup.pack = PackWithTinyDecoder();
  TestEngine engine(setup);
  ChunkDecoder& coder = engine.model().pixel_coder();
  const LatentGrid grid = LatentGrid::FromPixels(48, 32);
  const auto decode = [&](const DecodeChoice& choice, int64_t first, int64_t end,
                          std::vector<VaeCache>& caches) {
    std::vector<uint8_t> rgb;
    for (int64_t latent = first; latent < end; ++latent) {
      Latents values(kTinyDecoderChannels, grid);
      PhiloxNormal(8, static_cast<uint64_t>(latent), 0, values.values());
      EXPECT_TRUE(coder.Decode(values, choice, {}, caches, &rgb).ok());
    }
    return rgb;
  };
  for (const DecodeChoice& choice :
       {DecodeChoice{}, DecodeChoice{.tiled = true}, DecodeChoice{.tiny = true}}) {
    const int64_t warm_up = coder.warm_up_latents(choice);
    EXPECT_EQ(warm_up, choice.tiny ? 8 : 30) << "this VAE has fewer layers than the published";
    const int64_t at = warm_up + 2;
    std::vector<VaeCache> whole;
    decode(choice, 0, at, whole);
    std::vector<VaeCache> warm = coder.StartInMidStream(choice, at - warm_up, grid);
    decode(choice, at - warm_up, at, warm);
    ASSERT_EQ(warm.size(), whole.size());
    for (size_t i = 0; i < warm.size(); ++i) {
      EXPECT_TRUE(*CopyVaeCache(coder.device(), warm[i]) ==
                  *CopyVaeCache(coder.device(), whole[i]));
    }
    EXPECT_EQ(decode(choice, at, at + 2, warm), decode(choice, at, at + 2, whole));
  }
}

TEST(TinyDecoderTest, WithoutOneItIsRefused) {
  TestEngine engine;
  const absl::Status status = engine.CreateSession(Spec(DecoderKind::kTiny), "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()).rfind("decoder: this pack has no tiny decoder", 0), 0u);
  EngineSetup setup;
  setup.pack = PackWithTinyDecoder();
  TestEngine with(setup);
  SessionSpec tiled = Spec(DecoderKind::kTiny);
  tiled.tiled_decode = true;
  EXPECT_EQ(std::string(with.CreateSession(tiled, "").status().message()),
            "tiled_decode: the tiny decoder takes frames whole");
}

}  // namespace
}  // namespace longtake
