// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A model directory becomes a pack that holds its numbers; a refusal leaves the old pack as it was.
#include "pack/pack_model.h"

#include <map>
#include <tuple>

#include "base/checksum.h"
#include "engine/policy/recipe.h"
#include "pack/show.h"
#include "pack/synthesise.h"
#include "storage/safetensors/safetensors_set.h"
#include "storage/stream/layer_stream.h"
#include "tests/pack/pack_model_fixture.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

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

// A model directory may hold more than is used, so that what was read has to be said.
TEST_F(PackModelTest, TheFilesThatAreReadAreTold) {
  fs::copy(model_ / kVae, model_ / "vae/diffusion_pytorch_model.fp16.safetensors");
  std::vector<std::string> read, unread;
  PackModelOptions options;
  options.on_file = [&](const std::string& path, bool is_read) {
    (is_read ? read : unread).push_back(fs::relative(path, model_).string());
  };
  ASSERT_TRUE(Pack(options).ok());
  EXPECT_EQ(read, (std::vector<std::string>{"model_index.json", "longtake.json",
                                            "tokenizer/tokenizer.json", "transformer/config.json",
                                            kTransformer, "text_encoder/config.json", kTextEncoder,
                                            "vae/config.json", kVae}));
  EXPECT_EQ(unread, std::vector<std::string>{"vae/diffusion_pytorch_model.fp16.safetensors"});
}

// The commonest broken download: every file can be one.
TEST_F(PackModelTest, GitLfsPointersAreRecognised) {
  for (const char* file :
       {"model_index.json", "longtake.json", "transformer/config.json", "text_encoder/config.json",
        "vae/config.json", kTransformer, kTextEncoder, kVae, "tokenizer/tokenizer.json",
        "tokenizer/spiece.model"}) {
    const std::string whole = ReadAll(model_ / file);
    const std::string tokenizer = ReadAll(model_ / "tokenizer/tokenizer.json");
    if (std::string(file) == "tokenizer/spiece.model") {
      fs::remove(model_ / "tokenizer/tokenizer.json");
    }
    WriteAll(model_ / file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
    ExpectRefused(absl::StatusCode::kInvalidArgument, {file, "git-lfs pointer"});
    WriteAll(model_ / "tokenizer/tokenizer.json", tokenizer);
    WriteAll(model_ / file, whole);
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

// Every matrix of a layer comes back to within half a step of each row's scale, and the largest
// value of a row is hit exactly.
TEST_F(PackModelTest, Int8LayersAreTheMatricesToHalfAStep) {
  PackModelOptions options;
  options.quantize_int8 = true;
  ASSERT_TRUE(Pack(options).ok());
  EXPECT_TRUE(VerifyPackDirectory(PosixFileSystem(), pack_, {}).ok());
  EXPECT_NE(ShowPack(PosixFileSystem(), pack_)->find("layers of I8"), std::string::npos);
  const auto pack = PackDirectory::Open(PosixFileSystem(), pack_);
  ASSERT_TRUE(pack.ok());
  const PackReader* transformer = *pack->Component("transformer");
  const ResidentSection resident = *transformer->LoadResident();
  const auto layers = *LayerStream::Open(*transformer, {});
  const auto published =
      *SafetensorsSet::Open(PosixFileSystem(), (model_ / "transformer").string());
  LayerLease lease = *layers->Next();
  for (size_t i = 0; i < lease.tensor_count(); ++i) {
    const TensorView matrix = *lease.Tensor(i);
    const std::string name(matrix.name);
    ASSERT_EQ(matrix.dtype, DType::kI8);
    const auto* scales = reinterpret_cast<const float*>(resident.Find(name + ".scale")->data);
    const auto* bytes = reinterpret_cast<const int8_t*>(matrix.data);
    std::vector<uint16_t> halves(matrix.bytes);
    ASSERT_TRUE(published.Read(name, 0, std::as_writable_bytes(std::span(halves))).ok());
    const auto row_size = static_cast<uint64_t>(matrix.shape[1]);
    for (uint64_t row = 0; row < static_cast<uint64_t>(matrix.shape[0]); ++row) {
      int largest = 0;
      for (uint64_t at = row * row_size; at < (row + 1) * row_size; ++at) {
        const float value = Bf16ToFloat(halves[at]);
        ASSERT_NEAR(value, scales[row] * bytes[at], scales[row] * 0.5001f) << name << " " << at;
        largest = std::max(largest, std::abs(int{bytes[at]}));
      }
      ASSERT_EQ(largest, scales[row] == 0.0f ? 0 : 127) << name << " row " << row;
    }
  }
}

// Every tensor has its own way into a pack: matrices of layers, rows that are quantised, what stays
// resident in F32, tables of embeddings, and all of the VAE.
TEST_F(PackModelTest, AWeightThatIsNoFiniteNumberIsNamed) {
  const std::tuple<const char*, const char*, uint64_t> places[] = {
      {kTransformer, "blocks.0.attn1.to_q.weight", 0},
      {kTransformer, "blocks.5.ffn.net.2.weight", 4099},
      {kTransformer, "blocks.0.attn1.norm_q.weight", 3},
      {kTransformer, "proj_out.weight", 1},
      {kTextEncoder, "shared.weight", 8191},
      {kTextEncoder, "encoder.block.1.layer.0.SelfAttention.o.weight", 7},
      {kVae, "decoder.conv_out.bias", 0},
      {kVae, "encoder.conv_in.weight", 5}};
  for (const auto& [file, tensor, index] : places) {
    const std::string whole = ReadAll(model_ / file);
    for (const auto& [bits, name] : {std::pair(0x7fc0, "nan"), {0xff80, "-inf"}}) {
      PutBf16(file, tensor, index, static_cast<uint16_t>(bits));
      for (const PackModelOptions& options :
           {PackModelOptions(), {.dtype = DType::kF32}, {.quantize_int8 = true}}) {
        ExpectRefused(absl::StatusCode::kInvalidArgument,
                      {tensor, absl::StrCat("value ", index, " is ", name)}, options);
      }
    }
    WriteAll(model_ / file, whole);
  }
}

// The largest F32 is no BF16: rounding makes an infinity of it. Packed as F32 it is a number.
TEST_F(PackModelTest, AWeightBeyondBf16IsNamed) {
  WidenToF32(kVae, "decoder.mid_block.resnets.0.conv1.weight", 3.4028e38f);
  ExpectRefused(absl::StatusCode::kInvalidArgument,
                {"decoder.mid_block.resnets.0.conv1.weight: value 0 is 3.4028e+38", "--dtype f32"});
  EXPECT_TRUE(Pack({.dtype = DType::kF32}).ok());
}

// Exports store the table of embeddings under one name, the other, or both.
TEST_F(PackModelTest, OneTableOfEmbeddingsUnderEitherName) {
  const std::string whole = ReadAll(model_ / kTextEncoder);
  const std::string digest = *Pack();
  CopyTensor(kTextEncoder, "shared.weight", kAlias, "BF16", [](float value) { return value; });
  EXPECT_EQ(*Pack(), digest) << "both, and the same";
  WriteAll(model_ / kTextEncoder, whole);
  CopyTensor(kTextEncoder, "shared.weight", kAlias, "F32", [](float value) { return value; });
  EXPECT_EQ(*Pack(), digest) << "of another type, but the same";
  WriteAll(model_ / kTextEncoder, whole);
  Rename("shared.weight", kAlias);
  const auto pack = Pack();
  ASSERT_TRUE(pack.ok()) << pack.status();
  EXPECT_EQ(*pack, digest) << "only the other";
}

TEST_F(PackModelTest, TwoTablesOfEmbeddingsThatDifferAreRefused) {
  const std::string whole = ReadAll(model_ / kTextEncoder);
  const auto zero = [](float) { return 0.0f; };
  CopyTensor(kTextEncoder, "shared.weight", kAlias, "BF16", zero);
  ExpectRefused(absl::StatusCode::kInvalidArgument,
                {"shared.weight", std::string(kAlias) + " is all zeros"});
  WriteAll(model_ / kTextEncoder, whole);
  Rename("shared.weight", kAlias);
  CopyTensor(kTextEncoder, kAlias, "shared.weight", "BF16", zero);
  ExpectRefused(absl::StatusCode::kInvalidArgument, {kAlias, "shared.weight is all zeros"});
  WriteAll(model_ / kTextEncoder, whole);
  CopyTensor(kTextEncoder, "shared.weight", kAlias, "F32", [](float value) { return 2 * value; });
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"shared.weight", kAlias, "differ"});
  WriteAll(model_ / kTextEncoder, whole);
  CopyTensor(kTextEncoder, "shared.weight", kAlias, "I32", zero);
  ExpectRefused(absl::StatusCode::kUnimplemented, {kAlias, "I32"});
  WriteAll(model_ / kTextEncoder, whole);
  CopyTensor(kTextEncoder, "encoder.final_layer_norm.weight", kAlias, "BF16", zero);
  ExpectRefused(absl::StatusCode::kInvalidArgument, {kAlias, "shape [64]"});
  WriteAll(model_ / kTextEncoder, whole);
  CopyTensor(kTextEncoder, "shared.weight", "lm_head.weight", "BF16", zero);
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"lm_head.weight", "not part"});
}

TEST_F(PackModelTest, ATableOfZerosIsRefused) {
  CopyTensor(kTextEncoder, "shared.weight", "shared.weight", "BF16", [](float) { return 0.0f; });
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"shared.weight is all zeros"});
}

TEST_F(PackModelTest, TheAliasIsTheTextEncodersOnly) {
  CopyTensor(kVae, "decoder.conv_out.bias", kAlias, "BF16", [](float value) { return value; });
  ExpectRefused(absl::StatusCode::kInvalidArgument, {"vae", kAlias, "not part"});
}

// Nothing is written, and the old pack is not touched, before everything was checked.
TEST_F(PackModelTest, ARefusalLeavesTheOldPackAsItWas) {
  ASSERT_TRUE(Pack().ok());
  const auto refused = [&](absl::StatusCode code, const std::string& word) {
    const absl::Status status = Pack().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos) << status;
    EXPECT_TRUE(PackDirectory::Open(PosixFileSystem(), pack_).ok());
  };
  const std::string tokenizer = ReadAll(model_ / "tokenizer/tokenizer.json");
  WriteAll(model_ / "tokenizer/tokenizer.json", "{}");
  refused(absl::StatusCode::kInvalidArgument, "tokenizer/tokenizer.json");
  WriteAll(model_ / "tokenizer/tokenizer.json", tokenizer);

  const std::string weights = ReadAll(model_ / kTransformer);
  fs::remove(model_ / kTransformer);
  refused(absl::StatusCode::kNotFound, "transformer");
  WriteAll(model_ / kTransformer, weights);
  ASSERT_TRUE(Pack().ok());
}

// Whatever the model's folder holds, a manifest.json of its publisher's included, is not the
// packer's to write or remove.
TEST_F(PackModelTest, APublishedModelIsNeverWrittenInto) {
  WriteAll(model_ / "manifest.json", "the publisher's");
  const std::string weights = "transformer/diffusion_pytorch_model.safetensors";
  const std::string before = ReadAll(model_ / weights);
  fs::create_directory_symlink(model_, scratch_ / "link");
  pack_ = scratch_ / "link";
  ASSERT_TRUE(absl::IsAlreadyExists(Pack().status())) << Pack().status();

  WorkerPool workers(1);
  SynthesiseOptions options;
  options.shape = "taew2.1";
  const auto part = SynthesiseComponent(PosixFileSystem(), model_, options, workers);
  ASSERT_TRUE(absl::IsAlreadyExists(part.status())) << part.status();
  options.shape = "wan-1.3b";
  const auto whole = SynthesiseModel(PosixFileSystem(), model_, model_, 1, options, workers);
  ASSERT_TRUE(absl::IsAlreadyExists(whole.status())) << whole.status();

  EXPECT_EQ(ReadAll(model_ / "manifest.json"), "the publisher's");
  EXPECT_EQ(ReadAll(model_ / weights), before);
}

TEST_F(PackModelTest, AFullDiskLeavesTheOldPackAsItWas) {
  ASSERT_TRUE(Pack().ok());
  uint64_t pack_bytes = 0;
  for (const auto& entry : fs::directory_iterator(pack_)) pack_bytes += entry.file_size();
  // Each component replaces its predecessor, so the largest one's room is enough.
  for (const auto& [free_bytes, fits] :
       {std::pair(uint64_t{0}, false), {uint64_t{1} << 20, false}, {pack_bytes, true}}) {
    FaultFileSystem files(PosixFileSystem());
    files.set_free_bytes(free_bytes);
    const absl::Status status = PackModel(files, model_, pack_, {}).status();
    EXPECT_EQ(status.ok(), fits) << status;
    if (!fits) {
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    }
    EXPECT_TRUE(PackDirectory::Open(PosixFileSystem(), pack_).ok());
  }
}

// Published large models come in shards; the pack does not know.
TEST_F(PackModelTest, ShardsMakeTheSamePack) {
  const std::string digest = *Pack();
  const std::string bytes = ReadAll(model_ / kTransformer);
  auto [header, data_begin] = Header(bytes);
  header.erase("__metadata__");
  nlohmann::json headers[2];
  std::string data[2];
  nlohmann::json index = {{"weight_map", nlohmann::json::object()}};
  size_t count = 0;
  for (auto& [name, tensor] : header.items()) {
    const size_t shard = count++ % 2;
    const uint64_t begin = tensor["data_offsets"][0];
    const uint64_t end = tensor["data_offsets"][1];
    tensor["data_offsets"] = {data[shard].size(), data[shard].size() + end - begin};
    data[shard] += bytes.substr(data_begin + begin, end - begin);
    headers[shard][name] = tensor;
    index["weight_map"][name] =
        "diffusion_pytorch_model-0000" + std::to_string(shard + 1) + "-of-00002.safetensors";
  }
  for (size_t shard = 0; shard < 2; ++shard) {
    WriteSafetensors(
        model_ / "transformer" /
            ("diffusion_pytorch_model-0000" + std::to_string(shard + 1) + "-of-00002.safetensors"),
        headers[shard], data[shard]);
  }
  fs::remove(model_ / kTransformer);
  const fs::path index_path = model_ / "transformer/diffusion_pytorch_model.safetensors.index.json";
  WriteAll(index_path, index.dump());
  EXPECT_EQ(*Pack(), digest);

  index["weight_map"]["blocks.0.attn1.to_q.weight"] = "elsewhere.safetensors";
  WriteAll(index_path, index.dump());
  const absl::Status status = Pack().status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("elsewhere.safetensors"), std::string::npos)
      << status;
}

}  // namespace
}  // namespace longtake
