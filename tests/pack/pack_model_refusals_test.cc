// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Model directories with one thing missing or broken: one error that names the file and the tensor.
#include "engine/policy/recipe.h"
#include "tests/pack/pack_model_fixture.h"

namespace longtake {
namespace {

TEST_F(PackModelTest, ATinyDecoderThatTheRecipeAsksForMustBeThere) {
  Edit("longtake.json", "{", "{\"tiny_decoder\": true, ");
  ExpectRefused(absl::StatusCode::kNotFound, {"tiny_decoder"});
  fs::create_directory(model_ / "tiny_decoder");
  ExpectRefused(absl::StatusCode::kNotFound, {"tiny_decoder"});  // no safetensors in it
}

TEST_F(PackModelTest, MissingFilesAreNamed) {
  for (const char* file : {"model_index.json", "transformer/config.json", "vae/config.json",
                           "text_encoder/config.json"}) {
    const std::string text = ReadAll(model_ / file);
    fs::remove(model_ / file);
    ExpectRefused(absl::StatusCode::kNotFound, {file});
    WriteAll(model_ / file, text);
  }
  fs::remove(model_ / kTransformer);
  ExpectRefused(absl::StatusCode::kNotFound, {"transformer"});
}

TEST_F(PackModelTest, WithoutARecipeTheNamesAreListed) {
  fs::remove(model_ / "longtake.json");
  ExpectRefused(absl::StatusCode::kNotFound, {"longtake.json", "--recipe", "self-forcing"});
  PackModelOptions options;
  options.recipe = *NamedRecipeJson("self-forcing");
  EXPECT_TRUE(Pack(options).ok());
}

TEST_F(PackModelTest, ADirectoryOfOtherThingsStaysAsItIs) {
  fs::create_directory(pack_);
  for (const char* left : {".hidden", "lost+found", "vae.pack", "vae.pack.tmp-1", "tokenizer.json",
                           "manifest.json.tmp-1"}) {
    WriteAll(pack_ / left, "");
  }
  WriteAll(pack_ / "thesis.txt", "text");
  ExpectRefused(absl::StatusCode::kAlreadyExists, {pack_.string() + " holds thesis.txt"});
  fs::rename(pack_ / "thesis.txt", pack_ / "thesis.pack.txt");
  ExpectRefused(absl::StatusCode::kAlreadyExists, {"thesis.pack.txt"});
  fs::remove(pack_ / "thesis.pack.txt");
  ASSERT_TRUE(Pack().ok()) << "what was left by packing is no obstacle";
  WriteAll(pack_ / "notes.txt", "text");
  EXPECT_TRUE(Pack().ok()) << "it is a pack with notes beside it";
  EXPECT_EQ(ReadAll(pack_ / "notes.txt"), "text");
}

TEST_F(PackModelTest, OtherPipelinesAreRefused) {
  Edit("model_index.json", "WanPipeline", "FluxPipeline");
  ExpectRefused(absl::StatusCode::kUnimplemented, {"model_index.json", "FluxPipeline"});
}

TEST_F(PackModelTest, TwoExpertsAreRefused) {
  Edit("model_index.json", "{", "{\"boundary_ratio\": 0.9,");
  ExpectRefused(absl::StatusCode::kUnimplemented, {"boundary_ratio"});
}

TEST_F(PackModelTest, AConfigThatDisagreesWithItsTensorsNamesTheTensorAndShapes) {
  Edit("transformer/config.json", "\"ffn_dim\": ", "\"ffn_dim\": 1");
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"transformer", "ffn.net.0.proj", "shape"});
}

TEST_F(PackModelTest, AHugeConfigIsRefusedBeforeAnythingIsAllocated) {
  Edit("transformer/config.json", "\"num_layers\": ", "\"num_layers\": 99999999999");
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"transformer/config.json", "num_layers"});
}

TEST_F(PackModelTest, AMissingTensorIsNamed) {
  Edit(kTransformer, "blocks.0.attn1.to_q.weight", "blocks.0.attn1.to_z.weight");
  ExpectRefused(absl::StatusCode::kNotFound, {"blocks.0.attn1.to_q.weight"});
}

TEST_F(PackModelTest, ATensorTooManyIsNamed) {
  Edit("transformer/config.json", "\"num_layers\": 6", "\"num_layers\": 5");
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"blocks.5."});
}

TEST_F(PackModelTest, ATruncatedFileIsNamed) {
  const std::string bytes = ReadAll(model_ / kTransformer);
  for (size_t keep : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    WriteAll(model_ / kTransformer, bytes.substr(0, keep));
    ExpectRefused(absl::StatusCode::kInvalidArgument, {kTransformer});
  }
}

TEST_F(PackModelTest, AnUnknownTypeIsNamed) {
  Edit(kTransformer, "\"BF16\"", "\"F8_Q\"");
  const absl::Status status = Pack().status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("F8_Q"), std::string::npos) << status;
}

TEST_F(PackModelTest, ABrokenRecipeNamesItsField) {
  Edit("longtake.json", "\"shift\"", "\"shyft\"");
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"longtake.json", "shyft"});
}

TEST_F(PackModelTest, JsonThatIsNoneIsRefused) {
  for (const char* file : {"model_index.json", "transformer/config.json", "longtake.json"}) {
    const std::string text = ReadAll(model_ / file);
    for (const char* bad : {"", "[]", "{\"a\":", "\xff\xfe"}) {
      WriteAll(model_ / file, bad);
      ExpectRefused(absl::StatusCode::kInvalidArgument, {file});
    }
    WriteAll(model_ / file, text);
  }
}

}  // namespace
}  // namespace longtake
