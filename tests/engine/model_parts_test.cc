// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file_system.h"
#include "engine/video/check_parts.h"
#include "storage/pack/pack_writer.h"

namespace longtake {
namespace {

std::string EmbeddedTokenizer() {
  const char* source = std::getenv("LONGTAKE_SOURCE_DIR");
  return *ReadTextFile(PosixFileSystem(),
                       std::string(source != nullptr ? source : ".") +
                           "/models/shapes-small/tokenizer/tokenizer.json",
                       1 << 20);
}

TEST(ModelPartsTest, NameThePartThatDoesNotFit) {
  const auto tokenizer = ReadTokenizer("tokenizer.json", EmbeddedTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const WanConfig wan;
  const Umt5Config umt5;
  const VaeConfig vae;
  EXPECT_TRUE(CheckPartsFit(wan, umt5, vae, *tokenizer).ok());
  const auto refused = [&](const WanConfig& a, const Umt5Config& b, const VaeConfig& c,
                           const std::string& words) {
    const absl::Status status = CheckPartsFit(a, b, c, *tokenizer);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(status.message()).rfind(words, 0), 0u) << status;
  };
  Umt5Config narrow = umt5;
  narrow.d_model = 64;
  refused(wan, narrow, vae, "text_encoder: d_model 64");
  Umt5Config few = umt5;
  few.vocab_size = tokenizer->vocab_size() - 1;
  refused(wan, few, vae, "text_encoder: vocab_size");
  WanConfig channels = wan;
  channels.channels = 36;
  refused(channels, umt5, vae, "vae: z_dim");
}

TEST(ModelPartsTest, OtherTokenizersAreRefused) {
  EXPECT_FALSE(ReadTokenizer("vocab.txt", "a").ok());
  EXPECT_FALSE(ReadTokenizer("tokenizer.json", "{}").ok());
  EXPECT_FALSE(ReadTokenizer("spiece.model", "\xff").ok());
}

// A transformer of one layer and one matrix.
absl::Status CheckPack(DType matrix, bool with_scales, int64_t width) {
  const auto folder = std::filesystem::temp_directory_path() / "longtake-int8-layers";
  std::filesystem::create_directory(folder);
  PackSpec spec;
  spec.component = "transformer";
  spec.config = "{}";
  if (with_scales) spec.resident.push_back({"w.scale", DType::kF32, {1}});
  spec.layers.push_back({{"w", matrix, {1, width}}});
  const auto zeros = [](const TensorDecl& tensor, const TensorSink& sink) {
    return sink(std::vector<std::byte>(*TensorBytes(tensor.dtype, tensor.shape, "w")));
  };
  const std::string path = (folder / "transformer.pack").string();
  EXPECT_TRUE(WritePack(PosixFileSystem(), path, spec, {.source = zeros, .progress = {}}).ok());
  const absl::Status status = CheckInt8Layers(**PackReader::Open(PosixFileSystem(), path));
  std::filesystem::remove_all(folder);
  return status;
}

TEST(ModelPartsTest, Int8MatricesAndTheirScalesBelongTogether) {
  EXPECT_TRUE(CheckPack(DType::kI8, true, 65536).ok());
  EXPECT_TRUE(CheckPack(DType::kBf16, false, 8).ok());
  EXPECT_FALSE(CheckPack(DType::kI8, false, 8).ok());
  EXPECT_FALSE(CheckPack(DType::kBf16, true, 8).ok());
  EXPECT_FALSE(CheckPack(DType::kI8, true, 65537).ok());
}

}  // namespace
}  // namespace longtake
