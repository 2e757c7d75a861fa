// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Small packs with known bytes: byte i of a tensor follows from the tensor's name and i alone.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "storage/pack/pack_reader.h"
#include "storage/pack/pack_writer.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

inline std::vector<std::byte> FixtureBytes(std::string_view name, uint64_t bytes) {
  uint64_t seed = 0xcbf29ce484222325u;
  for (char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::vector<std::byte> out(bytes);
  for (uint64_t i = 0; i < bytes; ++i) {
    out[i] = static_cast<std::byte>(((seed ^ i) * 0x9e3779b97f4a7c15u) >> 37);
  }
  return out;
}

// Gives each tensor in pieces of an awkward size.
inline absl::Status FixtureSource(const TensorDecl& tensor, const TensorSink& sink) {
  const std::vector<std::byte> bytes =
      FixtureBytes(tensor.name, TensorBytes(tensor.dtype, tensor.shape, tensor.name).value());
  for (size_t at = 0; at < bytes.size(); at += 777) {
    LT_RETURN_IF_ERROR(
        sink(std::span(bytes).subspan(at, std::min<size_t>(777, bytes.size() - at))));
  }
  return absl::OkStatus();
}

// Layers of three tensors: two of them share the first part, the third is larger than a part may
// be.
inline PackSpec FixtureSpec(size_t layer_count) {
  PackSpec spec;
  spec.component = "transformer";
  spec.config = "{\"num_layers\": " + std::to_string(layer_count) + "}\n";
  spec.resident = {{.name = "head.weight", .dtype = DType::kBf16, .shape = {16, 100}},
                   {.name = "head.bias", .dtype = DType::kF32, .shape = {16}}};
  spec.row_tables = {{.name = "shared.weight", .dtype = DType::kBf16, .shape = {50, 300}}};
  for (size_t i = 0; i < layer_count; ++i) {
    const std::string prefix = "blocks." + std::to_string(i) + ".";
    spec.layers.push_back({{.name = prefix + "norm", .dtype = DType::kF32, .shape = {33}},
                           {.name = prefix + "q", .dtype = DType::kI8, .shape = {60, 65}},
                           {.name = prefix + "ffn", .dtype = DType::kBf16, .shape = {70, 100}}});
  }
  spec.part_bytes_max = 8192;
  return spec;
}

inline void WriteFixture(FileSystem& files, const std::string& path, const PackSpec& spec) {
  const absl::Status status = WritePack(files, path, spec, {.source = FixtureSource});
  ASSERT_TRUE(status.ok()) << status;
}

inline void ExpectFixtureTensor(const TensorView& view) {
  const std::vector<std::byte> expected = FixtureBytes(view.name, view.bytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.data) % 256, 0u) << view.name;
  EXPECT_EQ(std::memcmp(view.data, expected.data(), expected.size()), 0) << view.name;
}

// One layer, all tensors compared. The first error ends it.
inline absl::Status TakeLayer(LayerStream& stream, const PackReader& pack, size_t expected_layer) {
  LT_ASSIGN_OR_RETURN(LayerLease lease, stream.Next());
  EXPECT_EQ(lease.layer(), expected_layer);
  EXPECT_EQ(lease.tensor_count(), pack.layer(expected_layer).tensor_count());
  for (size_t t = 0; t < lease.tensor_count(); ++t) {
    LT_ASSIGN_OR_RETURN(const TensorView view, lease.Tensor(t));
    ExpectFixtureTensor(view);
  }
  return absl::OkStatus();
}

inline absl::Status TakeSweep(LayerStream& stream, const PackReader& pack) {
  for (size_t i = 0; i < pack.layer_count(); ++i) {
    LT_RETURN_IF_ERROR(TakeLayer(stream, pack, i));
  }
  return absl::OkStatus();
}

// A directory of its own on a real disk, removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string pattern = ::testing::TempDir() + "longtake_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace longtake
