// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors/safetensors_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/safetensors/safetensors_writer.h"
#include "tests/storage/memory_files.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void PutShard(MemoryFileSystem& files, const std::string& path,
              const std::vector<std::string>& names) {
  std::vector<TensorDecl> decls;
  std::string data;
  for (const std::string& name : names) {
    decls.push_back({.name = name, .dtype = DType::kI8, .shape = {2}});
    data += name.substr(0, 1) + "!";
  }
  auto writer = SafetensorsWriter::Create(files, path, decls);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append(std::as_bytes(std::span(data))).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
}

TEST(SafetensorsSetTest, OneFile) {
  MemoryFileSystem files;
  PutShard(files, "vae/any.safetensors", {"x", "y"});
  files.Put("vae/config.json", "{}");
  const auto set = SafetensorsSet::Open(files, "vae");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->Names(), ElementsAre("x", "y"));
  std::string out(2, '?');
  ASSERT_TRUE(set->Read("y", 0, std::as_writable_bytes(std::span(out))).ok());
  EXPECT_EQ(out, "y!");
  const absl::Status missing = set->Find("z").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("vae: no tensor \"z\""));
}

TEST(SafetensorsSetTest, Shards) {
  MemoryFileSystem files;
  PutShard(files, "t/m-1.safetensors", {"a"});
  PutShard(files, "t/m-2.safetensors", {"b"});
  files.Put("t/m.safetensors.index.json",
            R"({"metadata":{},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
  const auto set = SafetensorsSet::Open(files, "t");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->Names(), ElementsAre("a", "b"));
  EXPECT_THAT(set->files(),
              ElementsAre("t/m.safetensors.index.json", "t/m-1.safetensors", "t/m-2.safetensors"));
  std::string out(1, '?');
  ASSERT_TRUE(set->Read("b", 1, std::as_writable_bytes(std::span(out))).ok());
  EXPECT_EQ(out, "!");
}

TEST(SafetensorsSetTest, DefaultNamesWin) {
  MemoryFileSystem files;
  PutShard(files, "t/diffusion_pytorch_model.safetensors", {"a"});
  PutShard(files, "t/diffusion_pytorch_model.fp16.safetensors", {"b"});
  const auto set = SafetensorsSet::Open(files, "t");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE(set->Has("a"));
  EXPECT_THAT(set->files(), ElementsAre("t/diffusion_pytorch_model.safetensors"));
  EXPECT_THAT(set->unread_files(), ElementsAre("t/diffusion_pytorch_model.fp16.safetensors"));
  // An index of another precision is no better.
  files.Put("t/diffusion_pytorch_model.fp16.safetensors.index.json",
            R"({"weight_map":{"b":"diffusion_pytorch_model.fp16.safetensors"}})");
  EXPECT_TRUE(SafetensorsSet::Open(files, "t")->Has("a"));
}

// Two downloads in one directory: nothing but the user knows which is meant.
TEST(SafetensorsSetTest, WhatAnOlderDownloadLeftIsRefused) {
  const std::string index = R"({"weight_map":{"a":"model-1-of-1.safetensors"}})";
  struct Case {
    std::vector<std::pair<std::string, std::vector<std::string>>> shards;
    bool has_index;
    std::vector<std::string> words;
  };
  const Case cases[] = {
      {{{"model-1-of-1", {"a"}}, {"model", {"a"}}},
       true,
       {"model.safetensors.index.json lies beside model.safetensors"}},
      {{{"model", {"a"}}}, true, {"model.safetensors.index.json lies beside model.safetensors"}},
      {{{"model-1-of-1", {"a"}}, {"model-1-of-2", {"a"}}},
       true,
       {"lies beside model-1-of-2.safetensors"}},
      {{{"model", {"a"}}, {"model-1-of-2", {"a"}}},
       false,
       {"model.safetensors lies beside model-1-of-2.safetensors"}},
      {{{"model", {"a"}}, {"diffusion_pytorch_model", {"a"}}},
       false,
       {"both as diffusion_pytorch_model and as model"}},
      {{{"model-1-of-1", {"a", "extra"}}},
       true,
       {"model-1-of-1.safetensors", "\"extra\"", "does not name it"}}};
  for (const Case& c : cases) {
    MemoryFileSystem files;
    for (const auto& [stem, names] : c.shards) PutShard(files, "t/" + stem + ".safetensors", names);
    if (c.has_index) files.Put("t/model.safetensors.index.json", index);
    const absl::Status status = SafetensorsSet::Open(files, "t").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.words[0];
    for (const std::string& word : c.words) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
    }
  }
}

TEST(SafetensorsSetTest, ATensorInTwoShardsIsRefused) {
  MemoryFileSystem files;
  PutShard(files, "t/m-1.safetensors", {"a", "b"});
  PutShard(files, "t/m-2.safetensors", {"b"});
  files.Put("t/m.safetensors.index.json",
            R"({"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
  EXPECT_THAT(
      std::string(SafetensorsSet::Open(files, "t").status().message()),
      HasSubstr("t/m-1.safetensors: tensor \"b\": t/m.safetensors.index.json takes it from"));
}

TEST(SafetensorsSetTest, GitLfsPointersAreRecognised) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 14\n";
  MemoryFileSystem files;
  files.Put("t/model.safetensors", pointer);
  EXPECT_THAT(std::string(SafetensorsSet::Open(files, "t").status().message()),
              HasSubstr("t/model.safetensors: this is a git-lfs pointer"));
  files.Put("u/model.safetensors.index.json", pointer);
  EXPECT_THAT(std::string(SafetensorsSet::Open(files, "u").status().message()),
              HasSubstr("u/model.safetensors.index.json: this is a git-lfs pointer"));
}

TEST(SafetensorsSetTest, RefusesWhatItCannotDecideOrTrust) {
  MemoryFileSystem files;
  EXPECT_EQ(SafetensorsSet::Open(files, "none").status().code(), absl::StatusCode::kNotFound);
  PutShard(files, "two/a.safetensors", {"a"});
  PutShard(files, "two/b.safetensors", {"b"});
  EXPECT_THAT(std::string(SafetensorsSet::Open(files, "two").status().message()),
              HasSubstr("several"));

  PutShard(files, "t/s.safetensors", {"a"});
  files.Put("t/other.safetensors", "not opened");
  const std::pair<const char*, const char*> indexes[] = {
      {"[]", "weight_map"},
      {R"({"weight_map":3})", "weight_map"},
      {R"({"weight_map":{"a":3}})", "\"a\": its file is not"},
      {R"({"weight_map":{"a":"../s.safetensors"}})", "\"a\": its file is not"},
      {R"({"weight_map":{"a":""}})", "\"a\": its file is not"},
      {R"({"weight_map":{"b":"s.safetensors"}})", "\"b\": not in s.safetensors"},
      {R"({"weight_map":{"a":"gone.safetensors"}})", "gone.safetensors"},
      {R"({"weight_map":{"a":"s.safetensors","a":"s.safetensors"}})", "twice"},
      {"{", "not valid JSON"}};
  for (const auto& [text, message] : indexes) {
    files.Put("t/m.safetensors.index.json", std::string(text));
    const absl::Status status = SafetensorsSet::Open(files, "t").status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("t/")) << text;
  }
  const std::string deep(100000, '[');
  files.Put("t/m.safetensors.index.json", deep);
  EXPECT_THAT(std::string(SafetensorsSet::Open(files, "t").status().message()),
              HasSubstr("nested deeper"));
}

}  // namespace
}  // namespace longtake
