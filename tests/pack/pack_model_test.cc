// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A model directory becomes a pack, or one clear error that names file and tensor. The directories
// are copies of the embedded model with one thing broken in each.
#include "pack/pack_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "base/checksum.h"
#include "engine/recipe.h"
#include "pack/cast.h"
#include "pack/show.h"
#include "storage/pack_directory.h"
#include "storage/safetensors_set.h"

namespace longtake {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteAll(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class PackModelTest : public ::testing::Test {
 protected:
  PackModelTest() {
    std::string name = (fs::temp_directory_path() / "longtake-pack-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    scratch_ = name;
    const char* source = std::getenv("LONGTAKE_SOURCE_DIR");
    LT_CHECK(source != nullptr);
    model_ = scratch_ / "model";
    pack_ = scratch_ / "pack";
    fs::copy(fs::path(source) / "models/shapes-small", model_, fs::copy_options::recursive);
  }
  ~PackModelTest() override { fs::remove_all(scratch_); }

  absl::StatusOr<std::string> Pack(const PackModelOptions& options = {}) {
    return PackModel(PosixFileSystem(), model_, pack_, options);
  }

  // Replaces the first occurrence in a file of the model.
  void Edit(const std::string& file, const std::string& from, const std::string& to) {
    std::string text = ReadAll(model_ / file);
    const size_t at = text.find(from);
    LT_CHECK(at != std::string::npos);
    WriteAll(model_ / file, text.replace(at, from.size(), to));
  }

  // The one error, which names all of the words; nothing usable is left behind.
  void ExpectRefused(absl::StatusCode code, std::initializer_list<std::string> words) {
    const absl::Status status = Pack().status();
    EXPECT_EQ(status.code(), code) << status;
    for (const std::string& word : words) {
      EXPECT_NE(std::string(status.message()).find(word), std::string::npos)
          << "'" << word << "' in: " << status;
    }
    EXPECT_FALSE(PackDirectory::Open(PosixFileSystem(), pack_).ok());
  }

  fs::path scratch_;
  fs::path model_;
  fs::path pack_;
};

constexpr char kTransformer[] = "transformer/diffusion_pytorch_model.safetensors";

TEST_F(PackModelTest, PacksVerifiesAndShows) {
  uint64_t last_done = 0;
  uint64_t last_total = 0;
  PackModelOptions options;
  options.progress = [&](const std::string&, uint64_t done, uint64_t total) {
    last_done = done;
    last_total = total;
  };
  const auto digest = Pack(options);
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(last_done, last_total);
  EXPECT_TRUE(VerifyPackDirectory(PosixFileSystem(), pack_, {}).ok());
  const auto text = ShowPack(PosixFileSystem(), pack_);
  ASSERT_TRUE(text.ok());
  for (const std::string& word :
       {*digest, std::string("transformer"), std::string("tokenizer.json")}) {
    EXPECT_NE(text->find(word), std::string::npos) << word;
  }
}

TEST_F(PackModelTest, TheDigestIsTheModels) {
  const std::string first = *Pack();
  EXPECT_EQ(*Pack(), first) << "packing again changes nothing";
  PackModelOptions options;
  options.recipe = *NamedRecipeJson("rolling-sink");
  EXPECT_NE(*Pack(options), first) << "the recipe is part of it";
  options = {};
  options.dtype = DType::kF32;
  EXPECT_NE(*Pack(options), first) << "so is the type";
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
  Edit("transformer/config.json", "\"num_layers\": 4", "\"num_layers\": 3");
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"blocks.3."});
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

TEST_F(PackModelTest, AnInterruptedPackCannotBeOpened) {
  ASSERT_TRUE(Pack().ok());
  fs::remove(model_ / kTransformer);
  ASSERT_FALSE(Pack().ok());
  // The old pack was not touched: nothing is written before everything was checked.
  EXPECT_TRUE(PackDirectory::Open(PosixFileSystem(), pack_).ok());
}

TEST(CastTest, ConvertsBothWays) {
  const float floats[] = {1.0f, -2.5f, 65504.0f};
  uint16_t halves[3];
  CastElements(DType::kF32, std::as_bytes(std::span(floats)), DType::kBf16,
               std::as_writable_bytes(std::span(halves)));
  EXPECT_EQ(halves[0], 0x3f80);
  EXPECT_EQ(halves[1], 0xc020);
  const uint16_t f16[] = {0x3c00, 0xc100, 0x7bff};
  float back[3];
  CastElements(DType::kF16, std::as_bytes(std::span(f16)), DType::kF32,
               std::as_writable_bytes(std::span(back)));
  EXPECT_EQ(back[0], 1.0f);
  EXPECT_EQ(back[1], -2.5f);
  EXPECT_EQ(back[2], 65504.0f);
}

}  // namespace
}  // namespace longtake
