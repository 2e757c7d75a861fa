// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Copies of the embedded model in which a test breaks one thing, and the pack that is made of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "pack/cast.h"
#include "pack/pack_model.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

namespace fs = std::filesystem;

inline std::string ReadAll(const fs::path& path) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline void WriteAll(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline constexpr char kTransformer[] = "transformer/diffusion_pytorch_model.safetensors";
inline constexpr char kTextEncoder[] = "text_encoder/model.safetensors";
inline constexpr char kVae[] = "vae/diffusion_pytorch_model.safetensors";
inline constexpr char kAlias[] = "encoder.embed_tokens.weight";

// The table of a safetensors file, and where its data begins.
inline std::pair<nlohmann::json, uint64_t> Header(const std::string& bytes) {
  uint64_t text_bytes = 0;
  std::memcpy(&text_bytes, bytes.data(), sizeof(text_bytes));
  return {nlohmann::json::parse(bytes.substr(8, text_bytes)), 8 + text_bytes};
}

inline void WriteSafetensors(const fs::path& path, const nlohmann::json& table,
                             const std::string& data) {
  const std::string text = table.dump();
  const uint64_t text_bytes = text.size();
  WriteAll(path, std::string(reinterpret_cast<const char*>(&text_bytes), 8) + text + data);
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

  // Sets one element of a BF16 tensor.
  void PutBf16(const std::string& file, const std::string& tensor, uint64_t index, uint16_t bits) {
    std::string bytes = ReadAll(model_ / file);
    const auto [table, data] = Header(bytes);
    const uint64_t at = table[tensor]["data_offsets"][0];
    std::memcpy(bytes.data() + data + at + index * sizeof(bits), &bits, sizeof(bits));
    WriteAll(model_ / file, bytes);
  }

  // Takes a file apart and puts it together again with the tensors that edit leaves.
  struct Tensor {
    std::string dtype;
    nlohmann::json shape;
    std::string bytes;
  };
  void Rewrite(const std::string& file,
               const std::function<void(std::map<std::string, Tensor>&)>& edit) {
    const std::string bytes = ReadAll(model_ / file);
    const auto [table, data] = Header(bytes);
    std::map<std::string, Tensor> tensors;
    for (const auto& [name, entry] : table.items()) {
      if (name == "__metadata__") continue;
      const uint64_t begin = entry["data_offsets"][0];
      const uint64_t end = entry["data_offsets"][1];
      tensors[name] = {entry["dtype"], entry["shape"], bytes.substr(data + begin, end - begin)};
    }
    edit(tensors);
    nlohmann::json out;
    std::string moved;
    for (const auto& [name, tensor] : tensors) {
      const uint64_t begin = moved.size();
      moved += tensor.bytes;
      out[name] = {{"dtype", tensor.dtype},
                   {"shape", tensor.shape},
                   {"data_offsets", {begin, moved.size()}}};
    }
    WriteSafetensors(model_ / file, out, moved);
  }

  // In the text encoder.
  void Rename(const std::string& from, const std::string& to) {
    Rewrite(kTextEncoder, [&](auto& tensors) {
      tensors[to] = tensors.at(from);
      tensors.erase(from);
    });
  }

  // A BF16 tensor once more under another name, its values changed; of 2 or 4 bytes each.
  void CopyTensor(const std::string& file, const std::string& from, const std::string& to,
                  const std::string& dtype, const std::function<float(float)>& change) {
    Rewrite(file, [&](auto& tensors) {
      Tensor copy = {dtype, tensors.at(from).shape, ""};
      const std::string& bytes = tensors.at(from).bytes;
      for (size_t at = 0; at < bytes.size(); at += 2) {
        uint16_t half = 0;
        std::memcpy(&half, bytes.data() + at, sizeof(half));
        const float value = change(Bf16ToFloat(half));
        half = FloatToBf16(value);
        copy.bytes += dtype == "BF16"
                          ? std::string(reinterpret_cast<const char*>(&half), sizeof(half))
                          : std::string(reinterpret_cast<const char*>(&value), sizeof(value));
      }
      tensors[to] = copy;
    });
  }

  // Makes a tensor F32, all of one value.
  void WidenToF32(const std::string& file, const std::string& tensor, float value) {
    CopyTensor(file, tensor, tensor, "F32", [value](float) { return value; });
  }

  // The one error, which names all of the words; nothing usable is left behind.
  void ExpectRefused(absl::StatusCode code, std::initializer_list<std::string> words,
                     const PackModelOptions& options = {}) {
    const absl::Status status = Pack(options).status();
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

}  // namespace longtake
