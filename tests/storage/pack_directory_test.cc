// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const PackDirectorySpec kSpec = {.components = {"vae", "transformer"},
                                 .recipe = "{\"fps\": 16}",
                                 .tokenizer_name = "tokenizer.json",
                                 .tokenizer = "{\"model\": 1}"};

std::string WriteModel(FileSystem& files, const std::string& directory,
                       const PackDirectorySpec& directory_spec) {
  EXPECT_TRUE(BeginPackDirectory(files, directory).ok());
  for (const std::string& component : {std::string("transformer"), std::string("vae")}) {
    PackSpec spec = FixtureSpec(component == "vae" ? 0 : 2);
    spec.component = component;
    WriteFixture(files, directory + "/" + PackFileName(component), spec);
  }
  const auto digest = FinishPackDirectory(files, directory, directory_spec);
  EXPECT_TRUE(digest.ok()) << digest.status();
  return digest.value_or("");
}

TEST(PackDirectoryTest, RoundTrip) {
  MemoryFileSystem files;
  const std::string digest = WriteModel(files, "m", kSpec);
  EXPECT_EQ(digest.size(), 64u);
  const auto model = PackDirectory::Open(files, "m");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->model_digest(), digest);
  EXPECT_EQ(model->recipe(), kSpec.recipe);
  EXPECT_EQ(model->tokenizer(), kSpec.tokenizer);
  EXPECT_EQ(model->tokenizer_name(), "tokenizer.json");
  EXPECT_THAT(model->Components(), ElementsAre("transformer", "vae"));
  EXPECT_EQ(model->Component("vae").value()->component(), "vae");
  EXPECT_EQ(model->Component("audio").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(VerifyPackDirectory(files, "m", nullptr).ok());
}

TEST(PackDirectoryTest, TheDigestDependsOnEveryPart) {
  MemoryFileSystem files;
  const std::string digest = WriteModel(files, "a", kSpec);
  EXPECT_EQ(WriteModel(files, "b", kSpec), digest);
  PackDirectorySpec other = kSpec;
  other.recipe = "{\"fps\": 24}";
  EXPECT_NE(WriteModel(files, "c", other), digest);
  other = kSpec;
  other.tokenizer += " ";
  EXPECT_NE(WriteModel(files, "d", other), digest);
  // One weight.
  PackSpec spec = FixtureSpec(2);
  const TensorSource source = [](const TensorDecl& tensor, const TensorSink& sink) {
    if (tensor.name != "blocks.1.norm") return FixtureSource(tensor, sink);
    return sink(FixtureBytes("another", 33 * 4));
  };
  ASSERT_TRUE(WritePack(files, "a/transformer.pack", spec, {.source = source}).ok());
  const absl::Status mixed = PackDirectory::Open(files, "a").status();
  EXPECT_EQ(mixed.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(mixed.message()), HasSubstr("model digest"));
}

TEST(PackDirectoryTest, NoManifestNoModel) {
  MemoryFileSystem files;
  WriteModel(files, "m", kSpec);
  ASSERT_TRUE(BeginPackDirectory(files, "m").ok());
  EXPECT_EQ(PackDirectory::Open(files, "m").status().code(), absl::StatusCode::kNotFound);
}

TEST(PackDirectoryTest, RefusesDamage) {
  MemoryFileSystem files;
  WriteModel(files, "m", kSpec);
  const MemoryFileSystem::Bytes manifest = files.Contents("m/manifest.json");
  const auto message = [&] {
    const auto model = PackDirectory::Open(files, "m");
    return model.ok() ? std::string("accepted") : std::string(model.status().message());
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text(reinterpret_cast<const char*>(manifest.data()), manifest.size());
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    files.Put("m/manifest.json", text.replace(at, from.size(), to));
    return message();
  };
  EXPECT_THAT(with("\"vae\"", "\"../vae\""), HasSubstr("bad component name"));
  EXPECT_THAT(with("\"vae\"", "7"), HasSubstr("a component is no text"));
  EXPECT_THAT(with("\"version\": 1", "\"version\": 2"), HasSubstr("version 1"));
  EXPECT_THAT(with("fps", "fpz"), HasSubstr("model digest"));
  EXPECT_THAT(with("\"recipe\"", "\"recipes\""), HasSubstr("no text field \"recipe\""));
  EXPECT_THAT(with("tokenizer.json", "../../etc/passwd"), HasSubstr("plain file name"));
  EXPECT_THAT(with("{", "["), HasSubstr("not valid JSON"));
  files.Put("m/manifest.json", manifest);
  EXPECT_EQ(message(), "accepted");
  files.Contents("m/tokenizer.json")[0] ^= std::byte{1};
  EXPECT_THAT(message(), HasSubstr("tokenizer.json: SHA-256"));
}

TEST(PackDirectoryTest, VerifyFindsWhatOpeningDoesNot) {
  MemoryFileSystem files;
  WriteModel(files, "m", kSpec);
  const uint64_t payload_offset =
      PackReader::Open(files, "m/transformer.pack").value()->header().payload_offset;
  files.Contents("m/transformer.pack")[payload_offset] ^= std::byte{1};
  EXPECT_TRUE(PackDirectory::Open(files, "m").ok());
  EXPECT_THAT(std::string(VerifyPackDirectory(files, "m", nullptr).message()),
              HasSubstr("m/transformer.pack: CRC block 0"));
}

}  // namespace
}  // namespace longtake
