// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Weights that are finite, so that they can be packed, but overflow in use: a session that meets
// them fails with a reason of its own, and before a byte of it is sent.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/error_reason.h"
#include "engine/model/vae/layers.h"
#include "nlohmann/json.hpp"
#include "pack/synthetic_weights.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

namespace fs = std::filesystem;

constexpr uint16_t kLargestBf16 = 0x7f7f;
constexpr uint16_t kSignBit = 0x8000;

// Every element of a tensor of a BF16 file becomes the largest there is, every fifth a negative
// one, so that some sums overflow upwards.
void Spoil(const fs::path& path, const std::string& tensor) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  uint64_t table_bytes = 0;
  std::memcpy(&table_bytes, bytes.data(), sizeof(table_bytes));
  const auto table = nlohmann::json::parse(bytes.substr(8, table_bytes));
  const auto& offsets = table.at(tensor).at("data_offsets");
  for (uint64_t at = offsets[0]; at < offsets[1]; at += sizeof(uint16_t)) {
    const uint16_t bits = at / 2 % 5 == 0 ? kLargestBf16 | kSignBit : kLargestBf16;
    std::memcpy(bytes.data() + 8 + table_bytes + at, &bits, sizeof(bits));
  }
  std::ofstream(path, std::ios::binary) << bytes;
}

// The embedded model and a tiny decoder of random weights, one tensor spoilt.
class SpoiltModel {
 public:
  SpoiltModel(const std::string& file, const std::string& tensor) : model_(scratch_.directory()) {
    model_ += "/model";
    fs::copy(fs::path(std::getenv("LONGTAKE_SOURCE_DIR")) / "models/shapes-small", model_,
             fs::copy_options::recursive);
    WorkerPool workers(1);
    LT_CHECK(WriteSyntheticComponent(PosixFileSystem(), model_ + "/tiny_decoder",
                                     {.layout = TinyDecoderLayout(),
                                      .config_json = "{}",
                                      .rule = {.seed = 3},
                                      .dtype = DType::kBf16},
                                     workers)
                 .ok());
    Spoil(model_ + "/" + file, tensor);
    const auto digest = PackModel(PosixFileSystem(), model_, scratch_.directory() + "/pack", {});
    LT_CHECK(digest.ok());
  }
  EngineSetup Setup() const {
    EngineSetup setup;
    setup.pack = scratch_.directory() + "/pack";
    return setup;
  }

 private:
  ScratchPack scratch_;  // for its folder
  std::string model_;
};

SessionSpec Spec(DecoderKind decoder) {
  SessionSpec spec = SmallSpec("a red circle", 3, 9);
  spec.decoder = decoder;
  return spec;
}

void ExpectNotFinite(const Received& received, const std::string& where) {
  EXPECT_TRUE(received.chunks.empty());
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(received.end->code(), absl::StatusCode::kInternal);
  const auto reason = ReasonOf(*received.end);
  ASSERT_TRUE(reason.has_value()) << *received.end;
  EXPECT_EQ(reason->reason, Reason::kNotFinite);
  EXPECT_NE(std::string(received.end->message()).find(where), std::string::npos) << *received.end;
}

constexpr char kTransformer[] = "transformer/diffusion_pytorch_model.safetensors";
constexpr char kTextEncoder[] = "text_encoder/model.safetensors";
constexpr char kVae[] = "vae/diffusion_pytorch_model.safetensors";
constexpr char kTinyDecoder[] = "tiny_decoder/model.safetensors";

TEST(NotFiniteTest, PixelsEndThatSessionOnly) {
  for (const char* tensor : {"decoder.conv_out.weight", "decoder.conv_in.weight"}) {
    const SpoiltModel model(kVae, tensor);
    TestEngine engine(model.Setup());
    ExpectNotFinite(ReadToEnd(engine, **engine.CreateSession(Spec(DecoderKind::kFull), "")),
                    "pixels");
    const Received other = ReadToEnd(engine, **engine.CreateSession(Spec(DecoderKind::kTiny), ""));
    EXPECT_TRUE(other.end.has_value() && other.end->ok()) << "who does not need those weights";
  }
}

// Nobody sweeps for a session whose chunks cannot be shown, and its failure is counted.
TEST(NotFiniteTest, AnEndlessSessionThatCannotBeDecodedIsOver) {
  const SpoiltModel model(kVae, "decoder.conv_out.weight");
  TestEngine engine(model.Setup());
  const auto session = *engine.CreateSession(SmallSpec("a red circle", 3, 0), "");
  engine.RunUntilIdle();  // for ever, were it not over
  EXPECT_EQ(session->Info().state, SessionState::kFailed);
  EXPECT_EQ(engine->stats().sessions_failed, 1u);
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
}

TEST(NotFiniteTest, PixelsOfTilesToo) {
  const SpoiltModel model(kVae, "decoder.conv_out.weight");
  TestEngine engine(model.Setup());
  SessionSpec spec = Spec(DecoderKind::kFull);
  spec.tiled_decode = true;
  spec.width = 320;
  spec.height = 320;
  ExpectNotFinite(ReadToEnd(engine, **engine.CreateSession(spec, "")), "pixels");
}

// Its activations would turn a NaN into zero.
TEST(NotFiniteTest, PixelsOfTheTinyDecoder) {
  for (const char* tensor : {"decoder.1.weight", "decoder.22.weight"}) {
    const SpoiltModel model(kTinyDecoder, tensor);
    TestEngine engine(model.Setup());
    ExpectNotFinite(ReadToEnd(engine, **engine.CreateSession(Spec(DecoderKind::kTiny), "")),
                    "pixels");
  }
}

TEST(NotFiniteTest, FlowAndTextStates) {
  const std::tuple<const char*, const char*, const char*> places[] = {
      {kTransformer, "proj_out.weight", "flow of chunk 0"},
      {kTransformer, "blocks.0.attn1.to_q.weight", "flow of chunk 0"},
      {kTextEncoder, "encoder.block.1.layer.1.DenseReluDense.wo.weight", "text states"},
      {kTextEncoder, "encoder.final_layer_norm.weight", "text states"}};
  for (const auto& [file, tensor, where] : places) {
    const SpoiltModel model(file, tensor);
    TestEngine engine(model.Setup());
    ExpectNotFinite(ReadToEnd(engine, **engine.CreateSession(Spec(DecoderKind::kFull), "")), where);
  }
}

TEST(NotFiniteTest, LatentsOfStartFrames) {
  const SpoiltModel model(kVae, "encoder.conv_in.weight");
  TestEngine engine(model.Setup());
  SessionSpec spec = SmallSpec("a red circle", 3, 33);
  spec.start_frames = 9;
  const auto session = *engine.CreateSession(spec, "");
  ASSERT_TRUE(session->PutStart(0, 0, std::string(9 * 48 * 32 * 3, '\x80')).ok());
  ExpectNotFinite(ReadToEnd(engine, *session), "start frames");
}

}  // namespace
}  // namespace longtake
